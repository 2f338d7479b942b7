"""Where the time of each graph of a bundle goes, by operator: `python benchmarks/operators.py`.

ONNX Runtime's own profiler, one graph at a time, at the bundle's default size. Writes OPERATORS.md.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

import vidrt
from vidrt.engine.bench.measuring import MODULES
from vidrt.export.spec import TensorSpec

HERE = Path(__file__).resolve().parent
RUNS, WARMUP = 20, 3
SHOWN = 6
"""Operators of a graph in the table; the rest are added up."""


def symbols(bundle: Path) -> dict[str, int]:
    """Sizes of a default generation with guidance, one latent frame a decode call."""
    pipe = vidrt.TextToVideoPipeline(bundle)
    plan = pipe.plan()
    sizes = {"T": plan.latent_frames, "h": plan.latent_height, "w": plan.latent_width}
    return {"B": 2, "L": pipe.bundle.manifest.text_length, "k": 1, **sizes}


def sample(tensor: Any, sizes: dict[str, int]) -> Any:
    """Ones where integers are wanted (ids and masks), noise elsewhere."""
    dimensions = tuple(int(entry) if entry.isdecimal() else entry for entry in map(str, tensor.shape))
    shape = TensorSpec(tensor.name, tensor.dtype, dimensions).concrete(sizes)
    if tensor.dtype == "int64":
        return np.ones(shape, np.int64)
    return np.random.default_rng(0).standard_normal(shape, dtype=np.float32)


def operator(event: dict[str, Any]) -> str:
    """The operator of a kernel in the profile."""
    name: str = event["args"]["op_name"]
    return name


def milliseconds(
    graph: Path,
    inputs: dict[str, Any],
    threads: int,
    *,
    kind: Callable[[dict[str, Any]], str] = operator,
    runs: int = RUNS,
    warmup: int = WARMUP,
) -> Counter[str]:
    """Mean time a run of the kernels of each kind."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.enable_profiling = True
    options.register_custom_ops_library(str(vidrt.custom_ops_library()))
    with tempfile.TemporaryDirectory() as folder:
        options.profile_file_prefix = str(Path(folder) / "profile")
        session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        for _ in range(warmup + runs):
            session.run(None, inputs)
        events = json.loads(Path(session.end_profiling()).read_text())
    kernels = [event for event in events if event["cat"] == "Node" and event["name"].endswith("_kernel_time")]
    counted = kernels[len(kernels) * warmup // (warmup + runs) :]
    totals: Counter[str] = Counter()
    for event in counted:
        totals[kind(event)] += event["dur"] / 1000 / runs
    return totals


def table(module: str, totals: Counter[str]) -> str:
    """One graph as a Markdown section."""
    whole = totals.total()
    shown = totals.most_common(SHOWN)
    rest = whole - sum(value for _, value in shown)
    lines = [f"## {module}: {whole:.2f} ms a run", "", "| operator | ms | share |", "|---|---|---|"]
    lines += [f"| {name} | {value:.2f} | {100 * value / whole:.0f} % |" for name, value in [*shown, ("others", rest)]]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Profile every graph that a generation runs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, default=HERE.parent / "models" / "pocket", help="bundle to profile")
    parser.add_argument("--threads", type=int, default=2, help="compute threads")
    arguments = parser.parse_args()
    bundle = vidrt.Bundle(arguments.bundle)
    sizes = symbols(arguments.bundle)
    sections = []
    for name in MODULES:
        variant = bundle.manifest.modules[name].variants[0]
        # Prompts are encoded, and clips decoded, one at a time.
        own = sizes if name == "denoiser" else sizes | {"B": 1}
        inputs = {tensor.name: sample(tensor, own) for tensor in variant.inputs}
        sections.append(table(name, milliseconds(arguments.bundle / variant.file, inputs, arguments.threads)))
    header = (
        "# Operators of the pocket graphs\n\nMade by `python benchmarks/operators.py`; do not edit. ONNX Runtime "
        f"{onnxruntime.__version__}, {arguments.threads} threads, means of {RUNS} runs at the default size.\n\n"
    )
    (HERE / "OPERATORS.md").write_text(header + "\n".join(sections))
    print(f"wrote {HERE / 'OPERATORS.md'}")


if __name__ == "__main__":
    main()
