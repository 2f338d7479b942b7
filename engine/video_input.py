"""A clip that a video starts from: read, turned upright, its frames brought to the video's size."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from vidrt.engine.errors import BackendError, InvalidArgument, IoError
from vidrt.engine.image import MAX_PIXELS, check_file, cover, fit_size

if TYPE_CHECKING:
    from vidrt import _core
    from vidrt.engine.options import GenerateOptions

VideoInput = str | os.PathLike[str] | npt.NDArray[np.uint8]
"""A file, or (F, H, W, 3) uint8 RGB."""

_MAX_FILE_BYTES = 2**36
_DEMUXERS = "avi,gif,matroska,mov,mpeg,mpegts,webm,yuv4mpegpipe"
"""FFmpeg's, without those that open other files and addresses, as playlists do."""
_MAX_FPS = 1000.0

_Frame = npt.NDArray[np.uint8]


def fit_clip(options: GenerateOptions, manifest: _core.Manifest) -> GenerateOptions:
    """Read the clip of `options` and bring it to the video's size, (num_frames, height, width, 3) uint8 RGB.

    Each frame is turned as its file says, scaled to cover the video and cut, as an image (engine/image.py).

    Args:
        options: With a clip. height and width that are None are chosen as for an image; num_frames is the clip's, and
            fps that of its file.
        manifest: Of the bundle, whose defaults and limits choose the sizes.

    Raises:
        InvalidArgument: If it is no clip, damaged, too large, or of another length than num_frames.
        IoError: If its file cannot be read.
        BackendError: If PyAV is not there to read a file.
    """
    video = options.video
    if isinstance(video, np.ndarray):
        _check_array(video)
        return _fitted(options, manifest, iter(video), "video")
    if not isinstance(video, (str, os.PathLike)):
        raise InvalidArgument(f"video must be a file or (F, H, W, 3) uint8 RGB, got {type(video).__name__}.")
    path = Path(video)
    check_file(path, "a video", _MAX_FILE_BYTES)
    with _ClipFile(path) as clip:
        fitted = _fitted(options, manifest, clip.frames(), str(path))
        return fitted if options.fps is not None else replace(fitted, fps=clip.fps)


def _check_array(video: npt.NDArray[np.uint8]) -> None:
    if video.dtype != np.uint8 or video.ndim != 4 or video.shape[3] != 3 or not video.size:
        raise InvalidArgument(f"video must be (F, H, W, 3) uint8 RGB, got {video.shape} {video.dtype}.")


def _fitted(options: GenerateOptions, manifest: _core.Manifest, frames: Iterator[_Frame], name: str) -> GenerateOptions:
    first = next(frames, None)
    if first is None:
        raise InvalidArgument(f"{name} has no frames; expected a clip.")
    height, width = fit_size(manifest, first.shape[0], first.shape[1], options.height, options.width)
    most = manifest.num_frames.max if options.num_frames is None else options.num_frames
    fitted = _at_most(most, chain([first], frames), height, width, name)
    if options.num_frames is not None and len(fitted) != options.num_frames:
        raise InvalidArgument(
            f"{name} has {len(fitted)} frames, but num_frames is {options.num_frames}; leave num_frames out, or give a "
            "clip of that length."
        )
    return replace(options, video=fitted, num_frames=len(fitted), height=height, width=width)


def _at_most(most: int, frames: Iterable[_Frame], height: int, width: int, name: str) -> npt.NDArray[np.uint8]:
    kept: list[_Frame] = []
    for frame in frames:
        if len(kept) >= most:
            raise InvalidArgument(f"{name} has more than {most} frames; cut it to that length, or to a valid one.")
        same = frame.shape[:2] == (height, width)
        kept.append(frame if same else cover(Image.fromarray(np.ascontiguousarray(frame)), height, width))
    return np.ascontiguousarray(np.stack(kept))


class _ClipFile:
    """The first video stream of a file, through PyAV. Whatever FFmpeg says of hostile bytes is one error."""

    def __init__(self, path: Path) -> None:
        try:
            import av
        except ImportError as error:
            raise BackendError(
                f"reading {path} needs PyAV, which cannot be imported ({error}); install it with "
                "`pip install 'vidrt[video]'`, or give the frames as an array."
            ) from error
        self._av: Any = av
        self._path = path
        try:
            self._file = path.open("rb")  # so that FFmpeg opens no address
        except OSError as error:
            raise IoError(f"{path} cannot be read: {error.strerror}.") from error
        try:
            self._container: Any = av.open(self._file, container_options={"format_whitelist": _DEMUXERS})
        except Exception as error:
            self._file.close()
            raise self._fault(error) from error

    def __enter__(self) -> _ClipFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._container.close()
        self._file.close()

    @property
    def fps(self) -> float | None:
        """Frames per second, where the file says so and a video can have it."""
        rate = self._container.streams.video[0].average_rate
        return float(rate) if rate is not None and 0 < rate <= _MAX_FPS else None

    def frames(self) -> Iterator[_Frame]:
        """Each frame upright, (H, W, 3) RGB."""
        if not self._container.streams.video:
            raise InvalidArgument(f"{self._path} has no video stream; expected a clip.")
        stream = self._container.streams.video[0]
        context = stream.codec_context
        if context.width * context.height > MAX_PIXELS:
            raise InvalidArgument(
                f"{self._path} has too many pixels ({context.width}x{context.height}); expected at most {MAX_PIXELS} a "
                "frame: make it smaller."
            )
        context.options = {"max_pixels": str(MAX_PIXELS)}
        stream.thread_type = "AUTO"
        try:
            for frame in self._container.decode(stream):
                pixels: _Frame = frame.to_ndarray(format="rgb24")
                yield np.rot90(pixels, getattr(frame, "rotation", 0) // 90)
        except self._av.FFmpegError as error:
            raise self._fault(error) from error

    def _fault(self, error: Exception) -> InvalidArgument:
        return InvalidArgument(f"{self._path} cannot be read as a video, it may be damaged: {error}")
