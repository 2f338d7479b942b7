"""How far predictions are from measurements: `python benchmarks/predictions.py --write`, on a machine at rest.

Published measurements of Wan models on GPUs, whose graphs are exported here with a few layers and random weights (some
minutes the first time, kept in build/predictions), and the shipped model on this machine's processor, measured now.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import statistics
from pathlib import Path

from predicted_wan import Part, predicted_wan

import vidrt
from vidrt.engine.predict import DeviceSpec, Prediction, device_spec, known_devices, predict

ROOT = Path(__file__).resolve().parent.parent
RUNS = 5
PROMPTS = tuple(
    " ".join(words) for words in itertools.product(("small", "large"), ("red", "green", "blue"), ("circle", "square"))
)
"""Two for each run, all of words that the model knows: a pipeline remembers what it has encoded."""
HEADER = """# Predictions beside measurements

Made by `python benchmarks/predictions.py --write`; do not edit. What `vidrt predict` says and how: docs/predictions.md.
The shares of a device's peaks that it assumes are the same for every device and model. They were chosen when these
measurements were known, so that a measurement lies inside its range says little; how far apart they lie says more.
"""
PUBLISHED_HEADER = """
## Published measurements on GPUs

Predicted is what vidrt's graphs would take in bf16; measured were other programs that compute the same networks. The
last column is what of the device's dense peak the measured time means, by the operations that are counted here; of a
time that is "under" something it is the least. Where a source does not say sizes and steps, they are the model's own
defaults. FlashAttention 2 does not use what the H200 has beyond earlier GPUs.

| model | what | GPU | measured | predicted | measured is | of the peak |
|---|---|---|---|---|---|---|
"""
CPU_HEADER = """
## The shipped model on this machine's processor

{title}: {gflops:.0f} GFLOP/s in a product of matrices, {gbs:.1f} GB/s in a copy. Medians of {runs} runs at the default
settings.

| stage | measured | predicted | measured is |
|---|---|---|---|
"""


@dataclasses.dataclass(frozen=True)
class Published:
    """A measurement of someone else's.

    Attributes:
        size: A key of wan_folder.SIZES.
        device: A name of devices.json.
        parts: What was measured.
        seconds: How long it took.
        word: "about" or "under" where the source says no more.
        source: Where it stands.
    """

    size: str
    device: str
    parts: tuple[str, ...]
    seconds: float
    word: str
    source: str


DENOISER = ("denoiser",)
WHOLE = ("denoiser", "decoder")
PUBLISHED = (
    Published("wan2.1-t2v-1.3b", "rtx-4090", WHOLE, 240, "about", "README of Wan-Video/Wan2.1, 2025"),
    Published("wan2.1-t2v-1.3b", "rtx-5090", DENOISER, 184, "", "README of thu-ml/TurboDiffusion, 2025: the original"),
    Published("wan2.1-t2v-1.3b", "h200", DENOISER, 95.21, "", "blog of FastVideo, 2025, table 1: FlashAttention 2"),
    Published(
        "wan2.2-ti2v-5b", "rtx-4090", WHOLE, 540, "under", 'README of Wan-Video/Wan2.2, 2025: "consumer-grade GPU"'
    ),
    Published("wan2.2-ti2v-5b", "h200", DENOISER, 157.21, "", "blog of FastVideo, 2025, table 1: FlashAttention 2"),
)
# Of the models' own repositories, which the sources name: fifty steps, with guidance.
CLIPS = {
    "wan2.1-t2v-1.3b": vidrt.GenerateOptions(
        height=480, width=832, num_frames=81, num_inference_steps=50, guidance_scale=5.0
    ),
    "wan2.2-ti2v-5b": vidrt.GenerateOptions(
        height=704, width=1280, num_frames=121, num_inference_steps=50, guidance_scale=5.0
    ),
}


def published_row(one: Published, parts: dict[str, Part], device: DeviceSpec) -> str:
    """A row of the table of published measurements."""
    part = sum((parts[name] for name in one.parts), Part(0.0, 0.0, 0.0))
    clip = CLIPS[one.size]
    what = f"{' and '.join(one.parts)}, {clip.num_frames} frames of {clip.width}x{clip.height}, 50 steps; {one.source}"
    share = part.flops / one.seconds / device.peak("bf16")
    measured = f"{one.word} {one.seconds:.0f} s".strip()
    return (
        f"| {one.size} | {what} | {device.title} | {measured} | {part.best:.0f}-{part.worst:.0f} s | "
        f"{placed(one.seconds, part.best, part.worst)} | {share:.0%} |"
    )


def placed(measured: float, best: float, worst: float) -> str:
    """Where a measurement lies beside a prediction's range."""
    if measured < best:
        return f"{best / measured - 1:.0%} faster than the best"
    if measured > worst:
        return f"{measured / worst - 1:.0%} slower than the worst"
    return "inside"


def measured_stages(pipe: vidrt.TextToVideoPipeline) -> dict[str, float]:
    """Medians of the milliseconds of the stages of a generation, after one that does not count."""
    callbacks = vidrt.Callbacks(on_warning=lambda message: None)
    runs = []
    for index in range(RUNS + 1):
        prompt, negative = PROMPTS[2 * index : 2 * index + 2]
        options = vidrt.GenerateOptions(prompt, negative, seed=0)
        runs.append(pipe.generate(options, callbacks).timings)
    return {name: statistics.median(getattr(run, name) for run in runs[1:]) for name in ("encode", "denoise", "decode")}


def cpu_section(prediction: Prediction, measured: dict[str, float]) -> str:
    """The table of the shipped model on this machine."""
    device = prediction.device
    head = CPU_HEADER.format(
        title=device.title, gflops=device.peaks["fp32"] / 1e9, gbs=device.bandwidth / 1e9, runs=RUNS
    )
    modules = {"encode": "text_encoder", "denoise": "denoiser", "decode": "vae_decoder"}
    rows = []
    for name, milliseconds in measured.items():
        stages = [stage for stage in prediction.stages if stage.module.startswith(modules[name])]
        best, worst = (1000 * sum(getattr(stage, end).total for stage in stages) for end in ("best", "worst"))
        place = placed(milliseconds, best, worst)
        rows.append(f"| {name} | {milliseconds:.1f} ms | {best:.1f}-{worst:.1f} ms | {place} |")
    return head + "\n".join(rows) + "\n"


def published_section(folder: Path) -> str:
    """The table of published measurements."""
    devices = known_devices()
    rows = [
        published_row(one, predicted_wan(one.size, devices[one.device], CLIPS[one.size], folder), devices[one.device])
        for one in PUBLISHED
    ]
    return PUBLISHED_HEADER + "\n".join(rows) + "\n"


def main() -> None:
    """Print the tables, or write them where asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="replace benchmarks/PREDICTIONS.md")
    parser.add_argument(
        "--folder", type=Path, default=ROOT / "build" / "predictions", help="where bundles of Wan are kept"
    )
    parser.add_argument(
        "--published-only", action="store_true", help="leave this machine's processor out, where others use it"
    )
    arguments = parser.parse_args()
    cpu = ""
    if not arguments.published_only:
        pipe = vidrt.TextToVideoPipeline(ROOT / "models" / "pocket")
        cpu = cpu_section(predict(pipe, device_spec("cpu"), vidrt.GenerateOptions()), measured_stages(pipe))
    arguments.folder.mkdir(parents=True, exist_ok=True)
    text = HEADER + published_section(arguments.folder) + cpu
    print(text)
    if arguments.write:
        (ROOT / "benchmarks" / "PREDICTIONS.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
