"""From a file name to its writer."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from vidrt.engine.errors import InvalidArgument
from vidrt.engine.writers.base import ClipFormat, VideoWriter


def _open_pyav(path: Path, clip: ClipFormat) -> VideoWriter:
    from vidrt.engine.writers.pyav import PyAvWriter

    return PyAvWriter(path, clip)


def _open_gif(path: Path, clip: ClipFormat) -> VideoWriter:
    from vidrt.engine.writers.gif import GifWriter

    return GifWriter(path, clip)


def _open_y4m(path: Path, clip: ClipFormat) -> VideoWriter:
    from vidrt.engine.writers.y4m import Y4mWriter

    return Y4mWriter(path, clip)


def _open_png(path: Path, clip: ClipFormat) -> VideoWriter:
    from vidrt.engine.writers.png import PngWriter

    return PngWriter(path, clip)


def _open_npy(path: Path, clip: ClipFormat) -> VideoWriter:
    from vidrt.engine.writers.npy import NpyWriter

    return NpyWriter(path, clip)


_WRITERS: Mapping[str, Callable[[Path, ClipFormat], VideoWriter]] = {
    ".mp4": _open_pyav,
    ".webm": _open_pyav,
    ".gif": _open_gif,
    ".y4m": _open_y4m,
    ".npy": _open_npy,
    "": _open_png,
}


_FLOAT_SUFFIXES = (".npy",)  # all others store 8 bits


def open_writer(path: str | os.PathLike[str], clip: ClipFormat) -> VideoWriter:
    """Open a writer by the path's suffix: .mp4, .webm, .gif, .y4m, .npy, or none for a folder of PNG files.

    Everything that can be wrong with the path, the format and the size is an error here, before there are frames.

    Args:
        path: The file or folder to appear when the writer is closed.
        clip: What will be written; its metadata is stored in the file where the format can.

    Raises:
        InvalidArgument: If the suffix is unknown or the format cannot hold these frames, their size or frame rate.
        BackendError: If the format needs a package that is not installed.
        IoError: If the place cannot be written.
    """
    target = Path(path)
    suffix = target.suffix.lower()
    # ".mp4" and "clip." have no suffix to Python, and are no folder's name to anybody.
    nameless = not target.name or target.name.startswith(".") or target.name.endswith(".")
    if suffix not in _WRITERS or nameless:
        raise InvalidArgument(
            f"cannot tell a video format from {str(path)!r}: expected a name that ends in "
            f"{', '.join(filter(None, _WRITERS))}, or a folder's name without a suffix for PNG files."
        )
    if not (math.isfinite(clip.fps) and clip.fps > 0):
        raise InvalidArgument(f"fps must be a positive number, got {clip.fps}.")
    if clip.output_type != "uint8" and suffix not in _FLOAT_SUFFIXES:
        raise InvalidArgument(
            f"{suffix or 'PNG files'} cannot hold {clip.output_type} frames: they would be rounded to 8 bits. "
            f"Write {', '.join(_FLOAT_SUFFIXES)}, or set output_type to uint8."
        )
    return _WRITERS[suffix](target, clip)


def partial_path(path: Path) -> Path:
    """The name under which the finished frames of an interrupted clip are kept: x.mp4 -> x.partial.mp4."""
    return path.with_name(f"{path.stem}.partial{path.suffix}")
