"""A folder becomes a bundle whose frames are those of diffusers' TextToVideoSDPipeline, whatever the scheduler."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    UniPCMultistepScheduler,
)
from diffusers.schedulers import scheduling_dpmsolver_multistep, scheduling_euler_ancestral_discrete

import vidrt
from vidrt import _core

PROMPT, NEGATIVE = "a red circle moves left over the lazy dog", "dark background"
STEPS, SEED = 4, 7
TOLERANCE = 1e-3
"""Of frames in fp32, whose levels are 0 to 1."""
TRAINING = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
V = {"prediction_type": "v_prediction", "timestep_spacing": "trailing"}
SCHEDULERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "ddim": (DDIMScheduler, {"clip_sample": False, "set_alpha_to_one": False, "steps_offset": 1}),
    "ddim-v": (DDIMScheduler, {"clip_sample": False, **V}),
    "dpm": (DPMSolverMultistepScheduler, {}),
    "dpm-sde": (DPMSolverMultistepScheduler, {"algorithm_type": "sde-dpmsolver++"}),
    "euler": (EulerDiscreteScheduler, {"timestep_spacing": "leading", "steps_offset": 1}),
    "euler-ancestral": (EulerAncestralDiscreteScheduler, {}),
    "unipc": (UniPCMultistepScheduler, {}),
}
SIZES = [(5, 32, 48), (1, 16, 32), (3, 24, 40), (2, 40, 8)]
"""Frames, height, width: sides in latents that halve evenly, and sides that do not."""

# diffusers hands tensors to np.array in a way that NumPy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture
def same_noise(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Gives diffusers' schedulers the noise of the core's steps; to be called before each generation."""
    streams: list[Iterator[int]] = []

    def noise(shape: tuple[int, ...], **_: Any) -> torch.Tensor:
        frames, channels, height, width = shape  # of one sample, whose frames the pipeline makes a batch
        values = _core.standard_normal(SEED, frames * channels * height * width, stream=next(streams[-1]))
        return torch.from_numpy(values.reshape(channels, frames, height, width)).transpose(0, 1)

    for module in (scheduling_dpmsolver_multistep, scheduling_euler_ancestral_discrete):
        monkeypatch.setattr(module, "randn_tensor", noise)
    return lambda: streams.append(itertools.count(1))


def _scheduler(name: str) -> Any:
    kind, settings = SCHEDULERS[name]
    return kind(**{**TRAINING, **settings})


def _latents(toy: Any, num_frames: int, height: int, width: int) -> npt.NDArray[np.float32]:
    ratio = toy.pipeline.vae_scale_factor
    shape = (4, num_frames, height // ratio, width // ratio)
    return np.random.default_rng(num_frames).standard_normal(shape, dtype=np.float32)


def _assert_same(frames: npt.NDArray[Any], expected: npt.NDArray[Any], what: str) -> None:
    assert frames.dtype == expected.dtype == np.float32, what
    assert frames.shape == expected.shape, what
    assert expected.std() > 0.02, what  # a picture, not one grey
    np.testing.assert_allclose(frames, expected, rtol=0, atol=TOLERANCE, err_msg=what)


@pytest.mark.parametrize("name", SCHEDULERS)
def test_frames_are_those_of_diffusers(
    unet3d_toy: Any, with_scheduler: Callable[[Path, Any], Path], same_noise: Callable[[], None], name: str
) -> None:
    theirs = unet3d_toy.pipeline
    theirs.scheduler = _scheduler(name)
    ours = vidrt.TextToVideoPipeline(with_scheduler(unet3d_toy.bundle, theirs.scheduler))
    turn = list(SCHEDULERS).index(name)
    for guidance_scale, size in ((1.0, turn % len(SIZES)), (9.0, (turn + 1) % len(SIZES))):
        num_frames, height, width = SIZES[size]
        settings: dict[str, Any] = {
            "height": height,
            "width": width,
            "num_frames": num_frames,
            "num_inference_steps": STEPS,
            "guidance_scale": guidance_scale,
            **({"negative_prompt": NEGATIVE} if guidance_scale > 1.0 else {}),
        }
        shape = _latents(unet3d_toy, num_frames, height, width).shape
        latents = _core.standard_normal(SEED, math.prod(shape)).reshape(shape)
        video = ours(PROMPT, seed=SEED, output_type="float32", **settings)
        same_noise()
        expected = theirs(PROMPT, latents=torch.from_numpy(latents)[None], output_type="np", **settings).frames[0]
        _assert_same(video.frames, expected, f"{num_frames} {height}x{width} {guidance_scale}")


def test_an_empty_negative_prompt_guides_by_default(unet3d_toy: Any) -> None:
    latents = _latents(unet3d_toy, 2, 16, 16)
    settings: dict[str, Any] = {"height": 16, "width": 16, "num_frames": 2, "num_inference_steps": 2}
    video = vidrt.TextToVideoPipeline(unet3d_toy.bundle)(PROMPT, latents=latents, output_type="float32", **settings)
    unet3d_toy.pipeline.scheduler = _scheduler("ddim")
    torch_latents = torch.from_numpy(latents)[None]
    expected = unet3d_toy.pipeline(PROMPT, latents=torch_latents, output_type="np", **settings).frames[0]
    _assert_same(video.frames, expected, "guided by an empty prompt")


def test_frames_are_the_same_however_many_are_decoded_at_once(unet3d_toy: Any) -> None:
    latents = _latents(unet3d_toy, 5, 16, 24)
    settings: dict[str, Any] = {
        "height": 16,
        "width": 24,
        "num_frames": 5,
        "num_inference_steps": 2,
        "output_type": "float32",
    }
    whole, *others = (
        vidrt.TextToVideoPipeline(unet3d_toy.bundle)(PROMPT, latents=latents, decode_chunk=chunk, **settings).frames
        for chunk in (5, 1, 2)
    )
    for frames, chunk in zip(others, (1, 2), strict=True):
        _assert_same(frames, whole, f"chunks of {chunk}")


def test_a_size_that_is_no_multiple_of_the_vaes_ratio_is_refused(unet3d_toy: Any) -> None:
    pipeline = vidrt.TextToVideoPipeline(unet3d_toy.bundle)
    ratio = unet3d_toy.pipeline.vae_scale_factor
    with pytest.raises(vidrt.InvalidArgument, match=rf"height.*{2 * ratio + 1}.*{2 * ratio}"):
        pipeline(PROMPT, height=2 * ratio + 1, width=32, num_frames=2, num_inference_steps=1)
    with pytest.raises(vidrt.InvalidArgument, match=r"num_frames.*129"):
        pipeline(PROMPT, height=32, width=32, num_frames=129, num_inference_steps=1)
