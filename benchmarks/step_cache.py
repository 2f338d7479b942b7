"""What the step cache skips and costs with the shipped model: `python benchmarks/step_cache.py` prints the table.

Every clip is made without it and with every threshold, in one process, the order shifted from clip to clip; times are
ratios of the denoising of the same clip, of which the median is shown. `--write` replaces benchmarks/STEP_CACHE.md.
"""

from __future__ import annotations

import statistics
import sys
from pathlib import Path

import numpy as np

import vidrt
from vidrt.engine.writers import Frames

ROOT = Path(__file__).resolve().parent.parent
THRESHOLDS = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2)  # 0 is without
SCHEDULERS = ("euler", "unipc")
PROMPTS = (
    "a small red circle moving left",
    "a large blue square moving up",
    "a green triangle circling slowly",
    "a large yellow circle moving right",
)
STEPS = 20
HEADER = f"""# The step cache

Made by `python benchmarks/step_cache.py --write` with models/pocket; do not edit. {len(PROMPTS)} clips of the bundle's
default size and {STEPS} steps, guidance on, against the same clips without a step cache. Computed are steps in which
the denoiser ran; PSNR is of the mean error over all clips, and of the clip where it is largest; time is the median of
the clips' ratios of denoising with and without. Rows in which every step was computed show how far times are noise. The
share of a whole generation that denoising takes is in RESULTS.md.

| scheduler | threshold | steps computed | PSNR | PSNR of the worst clip | time |
|---|---|---|---|---|---|
"""


def mean_squared_error(a: Frames, b: Frames) -> float:
    """Of levels of 255."""
    return float(np.mean((a.astype(np.float64) - b) ** 2))


def decibels(error: float) -> str:
    """A mean squared error as PSNR."""
    return "identical" if error == 0 else f"{10 * np.log10(255**2 / error):.1f} dB"


def measure(pipe: vidrt.TextToVideoPipeline, scheduler: str) -> dict[float, list[tuple[int, float, float]]]:
    """By threshold, for each clip: steps computed, mean squared error, time of denoising by that without the cache."""
    results: dict[float, list[tuple[int, float, float]]] = {threshold: [] for threshold in THRESHOLDS}
    for index, prompt in enumerate(PROMPTS):
        clips = {}
        for turn in range(len(THRESHOLDS)):
            threshold = THRESHOLDS[(turn + index) % len(THRESHOLDS)]
            options = vidrt.GenerateOptions(
                prompt, seed=index, num_inference_steps=STEPS, scheduler=scheduler, step_cache=threshold
            )
            clips[threshold] = pipe.generate(options)
        full = clips[0.0]
        for threshold, clip in clips.items():
            computed = STEPS - len(clip.metadata.skipped_steps)
            time = clip.timings.denoise / full.timings.denoise
            results[threshold].append((computed, mean_squared_error(clip.frames, full.frames), time))
    return results


def main() -> None:
    """Measure and print; with --write also into the report."""
    pipe = vidrt.TextToVideoPipeline(ROOT / "models" / "pocket")
    pipe("a red circle", num_inference_steps=2, seed=0)  # loads
    table = HEADER
    for scheduler in SCHEDULERS:
        for threshold, clips in measure(pipe, scheduler).items():
            if threshold == 0:
                continue
            computed, errors, time = zip(*clips, strict=True)
            table += (
                f"| {scheduler} | {threshold:g} | {statistics.mean(computed):.1f} of {STEPS} "
                f"| {decibels(statistics.mean(errors))} | {decibels(max(errors))} | {statistics.median(time):.2f} |\n"
            )
    print(table, end="")
    if "--write" in sys.argv[1:]:
        (ROOT / "benchmarks" / "STEP_CACHE.md").write_text(table)


if __name__ == "__main__":
    main()
