"""What a text encoder of eight bits changes: `python benchmarks/int8.py` exports the shipped model with one.

Embeddings and frames are compared with those of the text encoder in fp32. `--write` replaces benchmarks/INT8.md.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
from step_cache import PROMPTS, decibels, mean_squared_error

import vidrt
from vidrt.export.exporter import export_bundle
from vidrt.export.models.pocket import load
from vidrt.export.options import ExportOptions
from vidrt.export.registry import ModelSource

ROOT = Path(__file__).resolve().parent.parent
HEADER = """# A text encoder with weights of eight bits

Made by `python benchmarks/int8.py --write` with models/pocket; do not edit. Embeddings and frames of the same prompts
and seeds with the variant `int8` of the text encoder and without, everything else alike.

| prompt | cosine of the embeddings, smallest row | PSNR of the frames |
|---|---|---|
"""


def rows(bundle: Path) -> list[str]:
    """The table's rows, a prompt each."""
    exact = vidrt.TextToVideoPipeline(bundle)
    rounded = vidrt.TextToVideoPipeline(bundle, variant="int8")
    made = []
    for seed, prompt in enumerate(PROMPTS):
        first, second = exact.encode_prompt(prompt), rounded.encode_prompt(prompt)
        kept = first.text_mask == 1
        a, b = (np.asarray(one.text_embeds, np.float64)[kept] for one in (first, second))
        cosines = (a * b).sum(1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))
        clips = [np.asarray(pipe(prompt, seed=seed).frames) for pipe in (exact, rounded)]
        error = mean_squared_error(clips[0], clips[1])
        made.append(f"| {prompt} | {cosines.min():.6f} | {decibels(error)} |")
    return made


def main() -> None:
    """Print the table, or write it where asked to."""
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / "pocket"
        options = ExportOptions({"text_encoder": ("int8",)}, custom_ops=False)
        export_bundle(load(ModelSource(ROOT / "models" / "pocket")), bundle, options)
        text = HEADER + "\n".join(rows(bundle)) + "\n"
    print(text)
    if "--write" in sys.argv[1:]:
        (ROOT / "benchmarks" / "INT8.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
