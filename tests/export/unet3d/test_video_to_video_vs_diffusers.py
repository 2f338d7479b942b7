"""A clip becomes another whose frames are those of diffusers' VideoToVideoSDPipeline, whatever the scheduler."""

from __future__ import annotations

import itertools
import json
import runpy
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
    VideoToVideoSDPipeline,
)
from diffusers.pipelines.deprecated.text_to_video_synthesis import pipeline_text_to_video_synth_img2img
from diffusers.schedulers import scheduling_dpmsolver_multistep, scheduling_euler_ancestral_discrete
from PIL import Image

import vidrt
from vidrt import _core

PROMPT, NEGATIVE = "a red circle moves left over the lazy dog", "dark background"
SEED = 7
FRAMES, HEIGHT, WIDTH = 3, 24, 40
TRAINING = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
V = {"prediction_type": "v_prediction", "timestep_spacing": "trailing"}
CASES: dict[str, tuple[Any, dict[str, Any], float, float]] = {
    # scheduler, its settings, strength, guidance_scale
    "ddim": (DDIMScheduler, {"clip_sample": False, "set_alpha_to_one": False, "steps_offset": 1}, 0.6, 9.0),
    "ddim-all-steps": (DDIMScheduler, {"clip_sample": False, "steps_offset": 1}, 1.0, 1.0),
    "ddim-v": (DDIMScheduler, {"clip_sample": False, **V}, 0.5, 9.0),
    "dpm": (DPMSolverMultistepScheduler, {}, 0.8, 9.0),
    "dpm-one-step": (DPMSolverMultistepScheduler, {}, 0.2, 9.0),
    "dpm-sde": (DPMSolverMultistepScheduler, {"algorithm_type": "sde-dpmsolver++"}, 0.6, 9.0),
    "euler": (EulerDiscreteScheduler, {"timestep_spacing": "leading", "steps_offset": 1}, 0.7, 9.0),
    "euler-all-steps": (EulerDiscreteScheduler, {}, 1.0, 9.0),
    "euler-ancestral": (EulerAncestralDiscreteScheduler, {}, 0.6, 1.0),
    "unipc": (UniPCMultistepScheduler, {}, 0.8, 9.0),
}
STEPS = 5

# diffusers hands tensors to np.array in a way that NumPy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture
def same_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gives diffusers the core's noise, and the mode of what the VAE makes of a frame instead of a sample."""
    streams: Iterator[int] = itertools.count()

    def noise(shape: tuple[int, ...], **_: Any) -> torch.Tensor:
        frames, channels, height, width = shape  # the pipeline makes the frames a batch
        values = _core.standard_normal(SEED, frames * channels * height * width, stream=next(streams))
        return torch.from_numpy(values.reshape(channels, frames, height, width)).transpose(0, 1)

    pipeline = pipeline_text_to_video_synth_img2img
    for module in (pipeline, scheduling_dpmsolver_multistep, scheduling_euler_ancestral_discrete):
        monkeypatch.setattr(module, "randn_tensor", noise)
    monkeypatch.setattr(pipeline, "retrieve_latents", lambda output, **_: output.latent_dist.mode())


@pytest.fixture
def clip() -> npt.NDArray[np.uint8]:
    """Three frames in which a bright square moves over noise."""
    frames = np.random.default_rng(2).integers(0, 90, (FRAMES, HEIGHT, WIDTH, 3), np.uint8)
    for index in range(FRAMES):
        frames[index, 8:16, 8 * index : 8 * index + 12] = (250, 180, 30)
    return frames


def _theirs(toy: Any, scheduler: Any) -> VideoToVideoSDPipeline:
    pipeline = VideoToVideoSDPipeline(**{**toy.pipeline.components, "scheduler": scheduler})
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


@pytest.mark.usefixtures("same_noise")
@pytest.mark.parametrize("name", CASES)
def test_frames_are_those_of_diffusers(
    unet3d_toy: Any, with_scheduler: Callable[[Path, Any], Path], clip: npt.NDArray[np.uint8], name: str
) -> None:
    kind, settings, strength, guidance_scale = CASES[name]
    scheduler = kind(**{**TRAINING, **settings})
    options: dict[str, Any] = {
        "strength": strength,
        "num_inference_steps": STEPS,
        "guidance_scale": guidance_scale,
        **({"negative_prompt": NEGATIVE} if guidance_scale > 1.0 else {}),
    }
    images = [Image.fromarray(frame) for frame in clip]
    expected = _theirs(unet3d_toy, scheduler)(PROMPT, video=images, output_type="np", **options).frames[0]
    pipeline = vidrt.VideoToVideoPipeline(with_scheduler(unet3d_toy.bundle, scheduler))
    sized = {"height": HEIGHT, "width": WIDTH, "seed": SEED, "output_type": "float32"}
    frames = pipeline(PROMPT, video=clip, **options, **sized).frames
    assert expected.std() > 0.02  # a picture, not one grey
    assert frames.shape == expected.shape
    assert np.abs(np.asarray(frames) - expected).max() <= 1e-3


def test_the_less_the_strength_the_nearer_the_clip(unet3d_toy: Any, clip: npt.NDArray[np.uint8]) -> None:
    pipeline = vidrt.VideoToVideoPipeline(unet3d_toy.bundle)
    settings: dict[str, Any] = {"height": HEIGHT, "width": WIDTH, "seed": SEED, "num_inference_steps": 10}
    videos = [pipeline(PROMPT, video=clip, strength=strength, **settings) for strength in (0.1, 0.4, 1.0)]
    # What the toy's autoencoder makes of the clip itself: what is left at a strength of nearly nothing.
    near, middle, far = (np.asarray(video.frames, np.float32) for video in videos)
    assert np.abs(middle - near).mean() < np.abs(far - near).mean()
    assert [video.metadata.strength for video in videos] == [0.1, 0.4, 1.0]


def test_a_strength_that_leaves_no_step_fails_in_diffusers_and_is_refused_here(
    unet3d_toy: Any, clip: npt.NDArray[np.uint8]
) -> None:
    theirs = _theirs(unet3d_toy, DDIMScheduler(clip_sample=False, **TRAINING))
    with pytest.raises(RuntimeError):
        theirs(PROMPT, video=[Image.fromarray(frame) for frame in clip], strength=0.0, num_inference_steps=STEPS)
    pipeline = vidrt.VideoToVideoPipeline(unet3d_toy.bundle)
    with pytest.raises(vidrt.InvalidArgument, match=r"strength of 0 leaves none of 5 .* at least 0\.2"):
        pipeline(PROMPT, video=clip, height=HEIGHT, width=WIDTH, strength=0.0, num_inference_steps=STEPS)


def test_the_command_makes_a_clip_of_a_clip(
    unet3d_toy: Any, run_vidrt: Any, clip: npt.NDArray[np.uint8], tmp_path: Path
) -> None:
    vidrt.Video(clip, 12).save(tmp_path / "clip.y4m")
    settings = ["--steps", "5", "--seed", "7", "--height", str(HEIGHT), "--width", str(WIDTH)]
    given = ["--video", "clip.y4m", "--strength", "0.6", *settings, "--bundle", str(unet3d_toy.bundle)]
    result = run_vidrt("generate", PROMPT, *given, "--output", "made.npy")
    assert result.returncode == 0, result.stderr
    assert "starts from clip.y4m, scaled and cut to 40x24" in result.stderr
    assert "3 frames of 40x24 at 12 fps" in result.stdout
    assert "encode image" in result.stdout
    pipeline = vidrt.VideoToVideoPipeline(unet3d_toy.bundle)
    same = {"height": HEIGHT, "width": WIDTH, "num_inference_steps": 5, "seed": 7, "strength": 0.6}
    video = pipeline(PROMPT, video=tmp_path / "clip.y4m", **same)
    np.testing.assert_array_equal(np.load(tmp_path / "made.npy"), video.frames)
    result = run_vidrt("generate", PROMPT, *given, "--json", "--output", "again.gif")
    metadata = json.loads(result.stdout)["metadata"]
    assert (metadata["strength"], metadata["num_inference_steps"]) == (0.6, 5)
    assert metadata["video_sha256"] == video.metadata.video_sha256 != ""
    plan = run_vidrt("plan", str(unet3d_toy.bundle), "--video", "clip.y4m", "--strength", "0.6", "--steps", "5")
    assert "3 steps on a clip with noise, at strength 0.6" in plan.stdout, plan.stderr


def test_the_example_of_two_passes_makes_a_small_clip_larger(
    unet3d_toy: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    example = Path(__file__).parents[3] / "examples" / "python" / "two_passes.py"
    sizes = ["--small-size", "16x8", "--large-size", "32x16", "--num-frames", "2", "--steps", "2"]
    given = [str(unet3d_toy.bundle), str(unet3d_toy.bundle), PROMPT, str(tmp_path / "large.npy"), *sizes]
    monkeypatch.setattr("sys.argv", [str(example), *given])
    runpy.run_path(str(example), run_name="__main__")
    small = {"height": 8, "width": 16, "num_frames": 2, "num_inference_steps": 2, "seed": 7}
    clip = vidrt.TextToVideoPipeline(unet3d_toy.bundle)(PROMPT, **small).frames
    large = {"height": 16, "width": 32, "num_inference_steps": 2, "seed": 7}
    video = vidrt.VideoToVideoPipeline(unet3d_toy.bundle)(PROMPT, video=np.asarray(clip), strength=0.6, **large)
    np.testing.assert_array_equal(np.load(tmp_path / "large.npy"), video.frames)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["--strength", "0.5"], "got a strength of 0.5, but no video"),
        (["--video", "clip.npy", "--strength", "1.5"], "cannot be read as a video"),
        (["--video", "clip.gif", "--strength", "1.5"], "strength must be 0 to 1, got 1.5"),
        (["--video", "clip.gif", "--num-frames", "2"], "has more than 2 frames"),
        (["--video", "clip.gif", "--num-frames", "4"], "has 3 frames, but num_frames is 4"),
    ],
)
def test_the_command_refuses_bad_clips_without_a_traceback(
    unet3d_toy: Any, run_vidrt: Any, clip: npt.NDArray[np.uint8], tmp_path: Path, given: list[str], says: str
) -> None:
    np.save(tmp_path / "clip.npy", clip)
    vidrt.Video(clip, 12).save(tmp_path / "clip.gif")
    result = run_vidrt("generate", PROMPT, *given, "--bundle", str(unet3d_toy.bundle), "--output", "made.gif")
    assert result.returncode == 2
    assert says in " ".join(result.stderr.split())
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "made.gif").exists()
