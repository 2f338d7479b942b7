"""A folder becomes a bundle whose frames are those of diffusers' pipeline: text to video, and image to video."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from diffusers import (
    FlowMatchEulerDiscreteScheduler,
    FlowMatchLCMScheduler,
    UniPCMultistepScheduler,
    WanImageToVideoPipeline,
)
from PIL import Image

import vidrt

PROMPT, NEGATIVE = "a red circle moves  left&#44; 向左移动", "dark background"
STEPS = 4
TOLERANCE = 1e-3
"""Of frames in fp32, whose levels are 0 to 1."""


def _schedulers(config: Any) -> dict[str, Any]:
    return {
        "unipc": UniPCMultistepScheduler.from_config(config),
        "euler": FlowMatchEulerDiscreteScheduler(shift=config["flow_shift"]),
        "lcm": FlowMatchLCMScheduler(shift=config["flow_shift"]),
    }


def _latents(toy: Any, num_frames: int, height: int, width: int) -> npt.NDArray[np.float32]:
    vae = toy.pipeline.vae.config
    frames = (num_frames - 1) // vae.scale_factor_temporal + 1
    shape = (4, frames, height // vae.scale_factor_spatial, width // vae.scale_factor_spatial)
    return np.random.default_rng(num_frames).standard_normal(shape, dtype=np.float32)


def _assert_same(frames: npt.NDArray[Any], expected: npt.NDArray[Any], what: str) -> None:
    assert frames.dtype == expected.dtype == np.float32, what
    assert frames.shape == expected.shape, what
    assert expected.std() > 0.02, what  # a picture, not one grey
    np.testing.assert_allclose(frames, expected, rtol=0, atol=TOLERANCE, err_msg=what)


def test_frames_are_those_of_diffusers(wan_toy: Any, fresh_noise: Callable[[], None]) -> None:
    ours = vidrt.TextToVideoPipeline(wan_toy.bundle)
    theirs = wan_toy.pipeline
    theirs.set_progress_bar_config(disable=True)
    side = 2 * theirs.vae.config.scale_factor_spatial
    side = max(side, 16)  # diffusers wants multiples of 16
    sizes = itertools.cycle([(side, 2 * side), (3 * side, side), (2 * side, side)])
    for num_frames, guidance_scale, scheduler in itertools.product(
        (1, 5, 13, 17), (1.0, 4.0), ("unipc", "euler", "lcm")
    ):
        height, width = next(sizes)
        latents = _latents(wan_toy, num_frames, height, width)
        settings: dict[str, Any] = {
            "height": height,
            "width": width,
            "num_frames": num_frames,
            "num_inference_steps": STEPS,
            "guidance_scale": guidance_scale,
            **({"negative_prompt": NEGATIVE} if guidance_scale > 1.0 else {}),
        }
        given: dict[str, Any] = {"scheduler": scheduler, "latents": latents, "output_type": "float32"}
        video = ours(PROMPT, **given, **settings)
        fresh_noise()
        theirs.scheduler = _schedulers(theirs.scheduler.config)["unipc"]
        flow = theirs.scheduler.config
        theirs.scheduler = _schedulers(flow)[scheduler]
        expected = theirs(PROMPT, latents=torch.from_numpy(latents)[None], output_type="np", **settings).frames[0]
        theirs.scheduler = _schedulers(flow)["unipc"]
        _assert_same(video.frames, expected, f"{num_frames} {height}x{width} {guidance_scale} {scheduler}")


def test_any_chunking_and_any_form_give_the_same_frames(wan_toy: Any) -> None:
    side = 2 * wan_toy.pipeline.vae.config.scale_factor_spatial
    latents = _latents(wan_toy, 17, side, side)
    settings: dict[str, Any] = {
        "height": side,
        "width": side,
        "num_frames": 17,
        "num_inference_steps": 2,
        "output_type": "float32",
    }
    whole = vidrt.TextToVideoPipeline(wan_toy.bundle)(PROMPT, latents=latents, **settings)
    assert whole.metadata.variants["vae_decoder_next"] == "processor"
    for chunk in (1, 2, 3):
        video = vidrt.TextToVideoPipeline(wan_toy.bundle)(PROMPT, latents=latents, decode_chunk=chunk, **settings)
        _assert_same(video.frames, whole.frames, f"chunks of {chunk}")
    stock = vidrt.TextToVideoPipeline(wan_toy.bundle, variant="fp32")(PROMPT, latents=latents, **settings)
    assert stock.metadata.variants["denoiser"] == "fp32"
    _assert_same(stock.frames, whole.frames, "fp32")


@pytest.mark.parametrize("wan_toy", ["wan2.2"], indirect=True)
@pytest.mark.parametrize("scheduler", ["unipc", "euler", "lcm"])
@pytest.mark.parametrize("guidance_scale", [1.0, 4.0])
def test_a_video_from_an_image_is_that_of_diffusers(
    wan_toy: Any, scheduler: str, guidance_scale: float, fresh_noise: Callable[[], None], tmp_path: Path
) -> None:
    height, width = 64, 96
    rng = np.random.default_rng(8)
    image = Image.fromarray(rng.integers(0, 255, (4, 6, 3), dtype=np.uint8)).resize((width, height), Image.BICUBIC)
    image.save(tmp_path / "image.png")
    original = wan_toy.pipeline
    theirs = WanImageToVideoPipeline(
        tokenizer=original.tokenizer,
        text_encoder=original.text_encoder,
        vae=original.vae,
        scheduler=_schedulers(original.scheduler.config)[scheduler],
        transformer=original.transformer,
        expand_timesteps=True,
    )
    theirs.set_progress_bar_config(disable=True)
    ours = vidrt.ImageToVideoPipeline(wan_toy.bundle)
    for num_frames in (5, 13):
        latents = _latents(wan_toy, num_frames, height, width)
        settings: dict[str, Any] = {
            "height": height,
            "width": width,
            "num_frames": num_frames,
            "num_inference_steps": STEPS,
            "guidance_scale": guidance_scale,
            **({"negative_prompt": NEGATIVE} if guidance_scale > 1.0 else {}),
        }
        given: dict[str, Any] = {"scheduler": scheduler, "latents": latents, "output_type": "float32"}
        video = ours(PROMPT, image=tmp_path / "image.png", **given, **settings)
        fresh_noise()
        torch_latents = torch.from_numpy(latents)[None]
        expected = theirs(image=image, prompt=PROMPT, latents=torch_latents, output_type="np", **settings).frames[0]
        _assert_same(video.frames, expected, f"{num_frames}")
