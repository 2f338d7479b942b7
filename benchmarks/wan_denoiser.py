"""Wan's denoiser beside diffusers' in one process: `python benchmarks/wan_denoiser.py`. Writes WAN_DENOISER.md.

Wan2.1-T2V-1.3B's denoiser at 8 of its 30 layers with random weights, guidance on, as in the scenario `wan-cpu`, which
shows whole generations. There every row is a process of its own, a minute apart from the next; here the contenders
take turns every few seconds, so that all meet the same load of a machine that others use, and ratios are of one turn.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypedDict

import numpy as np
import torch
from make_bundle import make_wan_bundle

import vidrt
from vidrt.engine.bench.machine import this_machine
from vidrt.engine.bench.measuring import PROMPT

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "peers"))
from checkpoint_pipelines import Wan, open_pipeline  # noqa: E402

REPORT = HERE / "WAN_DENOISER.md"
LAYERS = 8
THREADS = 2
STEPS = 2
TURNS = 6


class Sizes(TypedDict):
    """What both are asked for, by the names that both have."""

    height: int
    width: int
    num_frames: int
    num_inference_steps: int
    guidance_scale: float


SIZES: Sizes = {"height": 160, "width": 256, "num_frames": 9, "num_inference_steps": STEPS, "guidance_scale": 5.0}
HEADER = """# Wan's denoiser beside diffusers'

Made by `python benchmarks/wan_denoiser.py`; do not edit. {machine}; {layers} of Wan2.1-T2V-1.3B's 30 layers, random
weights in fp32, 160x256, 9 frames, guidance on, {threads} threads each; contenders take turns in one process, {turns}
times after one that does not count. *ratio* is the median over the turns of a contender's time by vidrt's in the same
turn.

| | seconds a step, median | least | ratio | ratio, least to most |
|---|---|---|---|---|
"""

Contender = Callable[[], float]
"""Runs the steps; returns the seconds of one."""


def with_vidrt(bundle: Path, latents: np.ndarray) -> Contender:
    """The bundle's own choice of graphs; a generation is cancelled where its decoding would begin."""
    pipe = vidrt.TextToVideoPipeline(bundle, threads=THREADS)
    options = vidrt.GenerateOptions(PROMPT, latents=latents, **SIZES)

    def run() -> float:
        cancel = vidrt.CancelToken()
        marks: list[float] = []

        def on_stage(event: vidrt.StageEvent) -> None:
            if event.stage == "denoise" and event.done in (0, event.total):
                marks.append(time.perf_counter())
            if event.stage == "decode":
                cancel.cancel()

        with contextlib.suppress(vidrt.Cancelled):
            pipe.generate(options, vidrt.Callbacks(on_stage=on_stage, on_warning=lambda _: None, cancel=cancel))
        begin, end = marks
        return (end - begin) / STEPS

    return run


def with_diffusers(checkpoint: Path, latents: np.ndarray, form: str) -> Contender:
    """The steps of WanPipeline, from embeddings to latents."""
    opened = open_pipeline(checkpoint, form)
    assert isinstance(opened, Wan)
    with torch.inference_mode():
        embeds, negative = opened.encode()
    start = torch.from_numpy(latents)[None]
    if form == "channels-last":
        start = start.to(memory_format=torch.channels_last_3d)

    @torch.inference_mode()
    def run() -> float:
        begin = time.perf_counter()
        opened.pipeline(
            prompt_embeds=embeds, negative_prompt_embeds=negative, latents=start, output_type="latent", **SIZES
        )
        return (time.perf_counter() - begin) / STEPS

    return run


def turns(contenders: dict[str, Contender]) -> Iterator[dict[str, float]]:
    """The seconds of a step of each, turn by turn; another begins each time."""
    names = list(contenders)
    for turn in range(TURNS + 1):
        shifted = names[turn % len(names) :] + names[: turn % len(names)]
        seconds = {name: contenders[name]() for name in shifted}
        if turn > 0:
            print({name: round(value, 2) for name, value in seconds.items()}, flush=True)
            yield seconds


def report(measured: list[dict[str, float]]) -> str:
    """The table."""
    machine = this_machine()
    text = HEADER.format(
        machine=f"{machine.processor}, {machine.cores} cores", layers=LAYERS, threads=THREADS, turns=TURNS
    )
    for name in measured[0]:
        seconds = [turn[name] for turn in measured]
        ratios = [turn[name] / turn["vidrt"] for turn in measured]
        spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
        figures = f"{statistics.median(seconds):.2f} | {min(seconds):.2f} | {statistics.median(ratios):.2f} | {spread}"
        text += f"| {name} | {figures} |\n"
    return text


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scratch", type=Path, help="a folder that keeps checkpoint and bundle for the next time")
    arguments = parser.parse_args()
    torch.set_num_threads(THREADS)
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.scratch or Path(temporary) / "wan"
        if not (folder / "bundle").exists():
            make_wan_bundle(LAYERS, folder)
        latents = np.random.default_rng(0).standard_normal((16, 3, 20, 32), dtype=np.float32)
        contenders = {"vidrt": with_vidrt(folder / "bundle", latents)}
        for form in ("contiguous", "channels-last", "compiled"):
            contenders[f"diffusers, {form}"] = with_diffusers(folder / "checkpoint", latents, form)
        REPORT.write_text(report(list(turns(contenders))), encoding="utf-8")
    print(REPORT)


if __name__ == "__main__":
    main()
