"""Shape profiles: from the sizes of videos to the smallest, usual and largest shape of every input of a module."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from vidrt import _core
from vidrt.engine.builder.options import BuildOptions, Range
from vidrt.engine.errors import InvalidArgument

Shape = tuple[int, ...]
_MAX_DECODE_CHUNK = 8
"""Latent frames of a decode call that an engine takes where nobody says more: memory grows with the largest."""


@dataclass(frozen=True)
class TensorProfile:
    """The shapes that one input may have."""

    min: Shape
    opt: Shape
    max: Shape


@dataclass(frozen=True)
class VideoSizes:
    """The ranges that engines of a bundle are built for, in the words of a caller.

    Attributes:
        height: Pixels.
        width: Pixels.
        num_frames: Length of the clip.
        batch: Prompts a call of every module; None is what the core runs.
        decode_chunk: Latent frames a call of the decoder; None where the decoder takes the whole clip.
    """

    height: Range
    width: Range
    num_frames: Range
    batch: Range | None
    decode_chunk: Range | None


def video_sizes(manifest: _core.Manifest, options: BuildOptions) -> VideoSizes:
    """The ranges of a build: those asked for, else the bundle's limits with its defaults as the usual sizes.

    Raises:
        InvalidArgument: A range leaves the limits of the bundle, or its ends are no valid sizes.
    """

    def within(name: str, asked: Range | None) -> Range:
        limit: _core.Limit = getattr(manifest, name)
        if asked is None:
            return Range(limit.min, getattr(manifest.defaults, name), _largest(limit))
        for size in (asked.min, asked.opt, asked.max):
            _check_size(name, size, limit, asked)
        return asked

    num_frames = within("num_frames", options.num_frames)
    return VideoSizes(
        height=within("height", options.height),
        width=within("width", options.width),
        num_frames=num_frames,
        batch=options.batch,
        decode_chunk=_decode_chunk(manifest.vae, num_frames, options.decode_chunk),
    )


def module_profile(
    manifest: _core.Manifest, module: str, inputs: list[_core.TensorSpec], sizes: VideoSizes
) -> dict[str, TensorProfile]:
    """The shapes of a module's inputs, all symbols of a shape going from their least to their most together.

    Raises:
        InvalidArgument: A dimension of the module is none that docs/bundle.md knows.
    """
    symbols = _symbols(manifest, module, sizes)

    def shape(spec: _core.TensorSpec, pick: Callable[[Range], int]) -> Shape:
        return tuple(_dimension(module, spec.name, entry, symbols, pick) for entry in spec.shape)

    return {
        spec.name: TensorProfile(
            shape(spec, lambda size: size.min), shape(spec, lambda size: size.opt), shape(spec, lambda size: size.max)
        )
        for spec in inputs
    }


def module_sizes(module: str, inputs: list[_core.TensorSpec], sizes: VideoSizes) -> dict[str, Range]:
    """The ranges, by the names of VideoSizes, that the shapes of a module's inputs depend on."""
    symbols = {entry.partition("*")[0] for spec in inputs for entry in spec.shape}
    chunk = sizes.decode_chunk if module != "denoiser" else None
    time = ("num_frames", sizes.num_frames) if chunk is None else ("decode_chunk", chunk)
    depends = {
        ("height", sizes.height): {"h", "H"},
        ("width", sizes.width): {"w", "W"},
        time: {"T", "k"},
        ("batch", _batch(module, sizes)): {"B"},
    }
    return {name: size for (name, size), needed in depends.items() if symbols & needed}


def _batch(module: str, sizes: VideoSizes) -> Range:
    # The core encodes one prompt at a time, and runs the denoiser on a prompt and its negative, or on each alone.
    return sizes.batch or (Range(1, 2, 2) if module == "denoiser" else Range(1, 1, 1))


def _symbols(manifest: _core.Manifest, module: str, sizes: VideoSizes) -> dict[str, Range]:
    ratio = manifest.vae.spatial_ratio
    latents = _latent_frames(manifest.vae, sizes.num_frames)
    chunk = sizes.decode_chunk
    if chunk is not None and manifest.vae.form == "whole":
        chunk = _with_surroundings(manifest.vae, chunk, latents)
    length = manifest.text_length
    return {
        "B": _batch(module, sizes),
        "L": Range(length, length, length),
        "T": latents if module == "denoiser" else chunk or latents,
        "k": chunk or latents,
        "h": _map(sizes.height, lambda size: size // ratio),
        "w": _map(sizes.width, lambda size: size // ratio),
        "H": sizes.height,
        "W": sizes.width,
    }


def _dimension(module: str, tensor: str, entry: str, symbols: dict[str, Range], pick: Callable[[Range], int]) -> int:
    if entry.isdecimal():
        return int(entry)
    symbol, _, factor = entry.partition("*")
    if symbol not in symbols:
        raise InvalidArgument(
            f"{module}: the dimension {entry} of {tensor} has no range; expected one of {', '.join(symbols)}."
        )
    return pick(symbols[symbol]) * int(factor or 1)


def _decode_chunk(vae: _core.VaeConfig, num_frames: Range, asked: Range | None) -> Range | None:
    latents = _latent_frames(vae, num_frames)
    if vae.form == "whole":
        if asked is not None and vae.receptive_field is None:
            raise InvalidArgument("this bundle's decoder takes the whole clip at once; leave decode_chunk out.")
        return asked
    # The first latent frame of a causal clip goes through vae_decoder_first.
    most = max(1, latents.max - 1 if vae.form == "causal" else latents.max)
    if asked is None:
        return Range(1, 1, min(_MAX_DECODE_CHUNK, most))
    if asked.max > most:
        raise InvalidArgument(f"decode_chunk must be 1 to {most} with clips of {num_frames} frames, got {asked}.")
    return asked


def _with_surroundings(vae: _core.VaeConfig, chunk: Range, latents: Range) -> Range:
    """What a call is given: the wanted latent frames, and what is around them as far as the clip has it."""
    around = sum(vae.receptive_field or ())
    return Range(1, min(chunk.opt + around, latents.max), min(chunk.max + around, latents.max))


def _latent_frames(vae: _core.VaeConfig, num_frames: Range) -> Range:
    ratio = vae.temporal_ratio
    return _map(num_frames, lambda n: (n - 1) // ratio + 1 if vae.single_first_frame else n // ratio)


def _map(size: Range, change: Callable[[int], int]) -> Range:
    return Range(change(size.min), change(size.opt), change(size.max))


def _largest(limit: _core.Limit) -> int:
    return limit.min + (limit.max - limit.min) // limit.step * limit.step


def _check_size(name: str, size: int, limit: _core.Limit, asked: Range) -> None:
    if limit.min <= size <= limit.max and (size - limit.min) % limit.step == 0:
        return
    below = limit.min + (size - limit.min) // limit.step * limit.step
    around = {max(limit.min, min(near, _largest(limit))) for near in (below, below + limit.step)}
    raise InvalidArgument(
        f"{name} must be {limit.min} to {limit.max} in steps of {limit.step}, got {size} in {asked}; "
        f"nearest valid: {', '.join(map(str, sorted(around)))}."
    )
