"""Checkpoints distilled to a few steps, exported with what they were distilled for: diffusers' frames untold."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, FlowMatchLCMScheduler, WanPipeline

import vidrt
from vidrt.export import cli

PROMPT = "a red circle moves left"
FASTWAN = [1000, 757, 522]
TOLERANCE = 1e-3
"""Of frames in fp32, whose levels are 0 to 1."""


class Chosen(FlowMatchLCMScheduler):
    """Asked for any number of steps, it takes FastWan's timesteps: pipelines have no argument for them."""

    def set_timesteps(self, num_inference_steps: int | None = None, device: Any = None, **_: Any) -> None:
        super().set_timesteps(num_inference_steps, device, timesteps=[float(value) for value in FASTWAN])


def _as_euler(folder: Path) -> None:
    FlowMatchEulerDiscreteScheduler(shift=8.0).save_pretrained(folder / "scheduler")


def _as_lcm(folder: Path) -> None:
    FlowMatchLCMScheduler(shift=8.0).save_pretrained(folder / "scheduler")


def _as_fastwan(folder: Path) -> None:
    """As FastVideo publishes it: a pipeline of its own, and the scheduler of the checkpoint before."""
    path = folder / "model_index.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "_class_name": "WanDMDPipeline"}))


CHECKPOINTS: dict[str, tuple[Callable[[Path], None], list[str], Any, int]] = {
    "euler": (_as_euler, ["--default-steps", "4"], FlowMatchEulerDiscreteScheduler(shift=8.0), 4),
    "lcm": (_as_lcm, ["--default-steps", "4"], FlowMatchLCMScheduler(shift=8.0), 4),
    "fastwan": (_as_fastwan, ["--scheduler", "lcm", "--timesteps", ",".join(map(str, FASTWAN))], Chosen(), 3),
}
"""How a folder is changed, the words of its export, diffusers' scheduler and the steps."""


@pytest.mark.slow  # an export each
@pytest.mark.parametrize("name", CHECKPOINTS)
def test_frames_are_those_of_diffusers_without_guidance(
    name: str,
    wan_folder: Callable[[str], tuple[WanPipeline, Path]],
    fresh_noise: Callable[[], None],
    tmp_path: Path,
) -> None:
    change, words, scheduler, steps = CHECKPOINTS[name]
    original, folder = wan_folder("shallow")
    distilled = Path(shutil.copytree(folder, tmp_path / "distilled", symlinks=True))
    change(distilled)
    words = ["--storage", "fp32", "--default-guidance-scale", "1", *words]
    assert cli.main(["wan", str(distilled), str(tmp_path / "bundle"), *words, "--json"]) == 0

    size: dict[str, Any] = {"height": 16, "width": 32, "num_frames": 9}
    latents = np.random.default_rng(5).standard_normal((4, 5, 8, 16), dtype=np.float32)
    ours = vidrt.TextToVideoPipeline(tmp_path / "bundle")
    options = vidrt.GenerateOptions(PROMPT, latents=latents, output_type="float32", **size)
    plan = ours.plan(options)
    assert (plan.num_inference_steps, plan.guidance) == (steps, "off")
    video = ours.generate(options)

    theirs = WanPipeline(**{**original.components, "scheduler": scheduler}, expand_timesteps=False)
    theirs.set_progress_bar_config(disable=True)
    fresh_noise()
    expected = theirs(
        PROMPT,
        latents=torch.from_numpy(latents)[None],
        num_inference_steps=steps,
        guidance_scale=1.0,
        output_type="np",
        **size,
    ).frames[0]
    assert expected.std() > 0.02  # a picture, not one grey
    np.testing.assert_allclose(video.frames, expected, rtol=0, atol=TOLERANCE)
