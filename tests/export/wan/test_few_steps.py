"""A checkpoint distilled to a few steps, exported with its own defaults: diffusers' frames without being told."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, WanPipeline

import vidrt
from vidrt.export import cli

PROMPT = "a red circle moves left"
STEPS = 4
TOLERANCE = 1e-3
"""Of frames in fp32, whose levels are 0 to 1."""


@pytest.mark.slow  # an export of its own
def test_frames_are_those_of_diffusers_without_guidance(
    wan_folder: Callable[[str], tuple[WanPipeline, Path]], tmp_path: Path
) -> None:
    original, folder = wan_folder("shallow")
    scheduler = FlowMatchEulerDiscreteScheduler(shift=8.0)
    distilled = Path(shutil.copytree(folder, tmp_path / "distilled", symlinks=True))
    scheduler.save_pretrained(distilled / "scheduler")
    index = json.loads((distilled / "model_index.json").read_text())
    index["scheduler"] = ["diffusers", "FlowMatchEulerDiscreteScheduler"]
    (distilled / "model_index.json").write_text(json.dumps(index))
    words = ["--storage", "fp32", "--default-steps", str(STEPS), "--default-guidance-scale", "1"]
    assert cli.main(["wan", str(distilled), str(tmp_path / "bundle"), *words, "--json"]) == 0

    size: dict[str, Any] = {"height": 16, "width": 32, "num_frames": 9}
    latents = np.random.default_rng(5).standard_normal((4, 5, 8, 16), dtype=np.float32)
    ours = vidrt.TextToVideoPipeline(tmp_path / "bundle")
    options = vidrt.GenerateOptions(PROMPT, latents=latents, output_type="float32", **size)
    plan = ours.plan(options)
    assert (plan.num_inference_steps, plan.guidance) == (STEPS, "off")
    video = ours.generate(options)

    theirs = WanPipeline(**{**original.components, "scheduler": scheduler}, expand_timesteps=False)
    theirs.set_progress_bar_config(disable=True)
    expected = theirs(
        PROMPT,
        latents=torch.from_numpy(latents)[None],
        num_inference_steps=STEPS,
        guidance_scale=1.0,
        output_type="np",
        **size,
    ).frames[0]
    assert expected.std() > 0.02  # a picture, not one grey
    np.testing.assert_allclose(video.frames, expected, rtol=0, atol=TOLERANCE)
