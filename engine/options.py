"""What a caller sets, checked for type and range; what the model can do is checked by the core."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TypedDict

import numpy as np
import numpy.typing as npt

from vidrt import _core
from vidrt.engine.checks import INT32_MAX, integer, number, text, what
from vidrt.engine.errors import InvalidArgument
from vidrt.engine.image import ImageInput
from vidrt.engine.prompt_embeds import PromptEmbeds
from vidrt.engine.vae_tiling import VaeTiling, tiling_to_core
from vidrt.engine.video_input import VideoInput

_SEED_MAX = 2**64 - 1
_SIZE = re.compile(r"(?P<number>\d+(\.\d+)?)\s*(?P<unit>B|KB|KiB|MB|MiB|GB|GiB|TB|TiB)?", re.IGNORECASE)
_UNITS = {
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "tb": 10**12,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
    "tib": 2**40,
}


def parse_bytes(size: int | str, name: str = "memory_budget") -> int:
    """Read a number of bytes: 4096, "6GiB", "1.5 GB"; name is what messages call it.

    Raises:
        InvalidArgument: If it is neither, negative, or more than 63 bits.
    """
    if isinstance(size, str):
        match = _SIZE.fullmatch(size.strip())
        if match is None:
            raise InvalidArgument(f"{name} must be a number of bytes or a size like '6GiB', got {size!r}.")
        value = int(float(match["number"]) * _UNITS[(match["unit"] or "B").lower()])
    else:
        value = integer(name, size, 0, 2**63 - 1)
    if value >= 2**63:
        raise InvalidArgument(f"{name} must be less than 8 EiB, got {size!r}.")
    return value


def pipeline_options(
    backend: str,
    device: str | None,
    threads: int | None,
    memory_budget: int | str | None,
    variant: str | None,
    *,
    cuda_graphs: bool = True,
    embeds_cache: int | str | None = None,
    profile_layers: bool = False,
) -> _core.PipelineOptions:
    """Build the core's PipelineOptions. Raises InvalidArgument for a wrong type."""
    options = _core.PipelineOptions()
    options.backend = text("backend", backend)
    options.device = "" if device is None else text("device", device)
    options.threads = 0 if threads is None else integer("threads", threads, 1, INT32_MAX)
    options.memory_budget = 0 if memory_budget is None else parse_bytes(memory_budget)
    options.variant = "" if variant is None else text("variant", variant)
    options.cuda_graphs = bool(cuda_graphs)
    options.embeds_cache = 0 if embeds_cache is None else parse_bytes(embeds_cache, "embeds_cache")
    options.profile_layers = bool(profile_layers)
    return options


@dataclass(frozen=True, eq=False)
class GenerateOptions:
    """What to generate. None takes the bundle's default. Names are those of diffusers.

    Attributes:
        prompt: What the video shall show; empty only where prompt_embeds is given.
        negative_prompt: What it shall not show.
        height: Pixels.
        width: Pixels.
        num_frames: Length of the clip.
        num_inference_steps: Denoising steps.
        guidance_scale: Weight of the prompt; at or below the bundle's guidance.off_at (1) guidance is off.
        seed: 0 to 2**64 - 1; None draws one, recorded in the video's metadata.
        fps: Frames per second, written to the file only.
        scheduler: "euler", "unipc" or "dpmpp_2m", of flow matching also "lcm", of models that predict noise or v also
            "ddim", "euler_ancestral" or "dpmpp_2m_sde"; None takes the bundle's.
        step_cache: The change of a prediction, in parts of it, up to which it is used again instead of running the
            denoiser (docs/step_cache.md); None never does.
        truncate: Cut an overlong prompt instead of refusing it.
        decode_chunk: Latent frames a call of the decoder takes; None lets the plan choose.
        vae_tiling: Frames decoded in tiles: "on", "off", "auto" or a VaeTiling, which has their sizes; None is "auto".
        output_type: "uint8", or "float32" for the same frames, not rounded, in [0,1] (docs/frames.md).
        keep_frames: False gives the frames to on_frames only, so that memory does not grow with the clip.
        latents: Initial noise instead of the seed's, (C,T,h,w) or (1,C,T,h,w) float32 at sigma 1.
        image: What the clip begins with, where the bundle takes one: a file, an image of Pillow's, or (H,W,3) uint8
            RGB. It is scaled to cover height and width and cut; where these are None they follow from it.
        video: What the clip starts from, where the bundle can encode one: a file, or (F,H,W,3) uint8 RGB. Its frames
            are scaled and cut as an image; num_frames, height, width and fps follow from it where they are None.
        strength: Of the steps, the part that is run on `video`, from 0 to 1 (docs/video_to_video.md); None is 0.6.
        prompt_embeds: Replaces the prompt and the text encoder.
        negative_prompt_embeds: Replaces the negative prompt.
    """

    prompt: str = ""
    negative_prompt: str | None = None
    height: int | None = None
    width: int | None = None
    num_frames: int | None = None
    num_inference_steps: int | None = None
    guidance_scale: float | None = None
    seed: int | None = None
    fps: float | None = None
    scheduler: str | None = None
    step_cache: float | None = None
    truncate: bool = False
    decode_chunk: int | None = None
    vae_tiling: VaeTiling | str | None = None
    output_type: str = "uint8"
    keep_frames: bool = True
    latents: npt.NDArray[np.float32] | None = None
    image: ImageInput | None = None
    video: VideoInput | None = None
    strength: float | None = None
    prompt_embeds: PromptEmbeds | None = None
    negative_prompt_embeds: PromptEmbeds | None = None

    def __post_init__(self) -> None:
        text("prompt", self.prompt)
        if self.latents is not None:
            object.__setattr__(self, "latents", _latents(self.latents))
        for name in ("prompt_embeds", "negative_prompt_embeds"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, PromptEmbeds):
                raise InvalidArgument(f"{name} must be what encode_prompt() gives, got {what(value)}.")

    def to_core(self) -> _core.GenerateOptions:
        """Build the core's options, tensors and embeddings aside. Raises InvalidArgument for a wrong type or range."""
        core = _core.GenerateOptions()
        core.prompt = self.prompt
        if self.negative_prompt is not None:
            core.negative_prompt = text("negative_prompt", self.negative_prompt)
        for name in ("height", "width", "num_frames", "num_inference_steps"):
            value = getattr(self, name)
            if value is not None:
                setattr(core, name, integer(name, value, -INT32_MAX, INT32_MAX))
        if self.guidance_scale is not None:
            core.guidance_scale = number("guidance_scale", self.guidance_scale)
        if self.seed is not None:
            core.seed = integer("seed", self.seed, 0, _SEED_MAX)
        if self.fps is not None:
            core.fps = number("fps", self.fps)
        core.scheduler = "" if self.scheduler is None else text("scheduler", self.scheduler)
        if self.step_cache is not None:
            core.step_cache = number("step_cache", self.step_cache)
        if self.strength is not None:
            core.strength = number("strength", self.strength)
        core.truncate = bool(self.truncate)
        if self.decode_chunk is not None:
            core.decode_chunk = integer("decode_chunk", self.decode_chunk, 1, INT32_MAX)
        core.vae_tiling = tiling_to_core(self.vae_tiling)
        core.output_type = text("output_type", self.output_type)
        core.keep_frames = bool(self.keep_frames)
        return core


@dataclass(frozen=True, eq=False)
class DecodeOptions:
    """What to decode, without a text encoder or a denoiser.

    Attributes:
        latents: (C,T,h,w) or (1,C,T,h,w) float32, in the space of the denoiser.
        fps: Frames per second, written to the file only; None takes the bundle's.
        decode_chunk: Latent frames a call of the decoder takes; None lets the plan choose.
        vae_tiling: Frames decoded in tiles: "on", "off", "auto" or a VaeTiling, which has their sizes; None is "auto".
        output_type: "uint8", or "float32" for the same frames, not rounded, in [0,1] (docs/frames.md).
        keep_frames: False gives the frames to on_frames only, so that memory does not grow with the clip.
    """

    latents: npt.NDArray[np.float32]
    fps: float | None = None
    decode_chunk: int | None = None
    vae_tiling: VaeTiling | str | None = None
    output_type: str = "uint8"
    keep_frames: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "latents", _latents(self.latents))

    def to_core(self) -> _core.DecodeOptions:
        """Build the core's options, the latents aside. Raises InvalidArgument for a wrong type or range."""
        core = _core.DecodeOptions()
        if self.fps is not None:
            core.fps = number("fps", self.fps)
        if self.decode_chunk is not None:
            core.decode_chunk = integer("decode_chunk", self.decode_chunk, 1, INT32_MAX)
        core.vae_tiling = tiling_to_core(self.vae_tiling)
        core.output_type = text("output_type", self.output_type)
        core.keep_frames = bool(self.keep_frames)
        return core


class GenerateSettings(TypedDict, total=False):
    """GenerateOptions without the prompt, as the keyword arguments of a call."""

    negative_prompt: str | None
    height: int | None
    width: int | None
    num_frames: int | None
    num_inference_steps: int | None
    guidance_scale: float | None
    seed: int | None
    fps: float | None
    scheduler: str | None
    step_cache: float | None
    truncate: bool
    decode_chunk: int | None
    vae_tiling: VaeTiling | str | None
    output_type: str
    keep_frames: bool
    latents: npt.NDArray[np.float32] | None
    image: ImageInput | None
    video: VideoInput | None
    strength: float | None
    prompt_embeds: PromptEmbeds | None
    negative_prompt_embeds: PromptEmbeds | None


def options_from_settings(prompt: str, settings: GenerateSettings) -> GenerateOptions:
    """Build options from a call's keyword arguments. Raises InvalidArgument for a name there is none of."""
    _check_names(settings)
    return GenerateOptions(prompt, **settings)


def _check_names(settings: Mapping[str, object]) -> None:
    known = [field.name for field in fields(GenerateOptions)]
    for name in settings:
        if name not in known:
            close = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {close[0]!r}?" if close else f"expected one of {', '.join(known)}."
            raise InvalidArgument(f"unknown option {name!r}; {hint}")


def _latents(value: object) -> npt.NDArray[np.float32]:
    array = np.asarray(value)
    if array.dtype != np.float32:
        raise InvalidArgument(f"latents must be float32, got {array.dtype}; convert them with .astype('float32').")
    return np.ascontiguousarray(array)
