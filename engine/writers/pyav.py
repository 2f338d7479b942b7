"""MP4 (H.264) and WebM (VP9) through PyAV."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from vidrt.engine.errors import BackendError, InvalidArgument
from vidrt.engine.writers.base import ClipFormat, VideoWriter
from vidrt.engine.writers.staging import StagedFile, io_error

if TYPE_CHECKING:
    from types import ModuleType

CODECS = {".mp4": "libx264", ".webm": "libvpx-vp9"}
_CODEC_OPTIONS = {
    # Visually lossless at these sizes; yuv420p and the High profile are what every browser decodes.
    ".mp4": {"crf": "17", "preset": "medium", "profile": "high"},
    # A bitrate of 0 makes crf the only control.
    ".webm": {"crf": "24", "b": "0", "deadline": "good", "cpu-used": "4", "row-mt": "1"},
}
# The index goes to the front, so that a browser can play before it has all.
_CONTAINER_OPTIONS = {".mp4": {"movflags": "+faststart"}, ".webm": {}}
_BT709 = 1  # of AVColorPrimaries, AVColorTransferCharacteristic and AVColorSpace alike
_LIMITED_RANGE = 1  # AVCOL_RANGE_MPEG


def _import_av(suffix: str) -> ModuleType:
    try:
        import av
    except ImportError as error:
        raise BackendError(
            f"writing {suffix} needs PyAV, which cannot be imported ({error}); "
            "install it with `pip install 'vidrt[video]'`, or write .gif, .y4m or a folder of PNG files."
        ) from error
    module: ModuleType = av
    return module


class PyAvWriter(VideoWriter):
    """Encodes frames as they come."""

    def __init__(self, target: Path, clip: ClipFormat) -> None:
        suffix = target.suffix.lower()
        av = _import_av(suffix)
        if clip.height % 2 or clip.width % 2:
            even = f"{clip.width + clip.width % 2}x{clip.height + clip.height % 2}"
            raise InvalidArgument(
                f"{suffix} stores colour at half size and needs an even width and height, "
                f"got {clip.width}x{clip.height}; nearest: {even}. Write .gif, .y4m or PNG files, which take any size."
            )
        codec = CODECS[suffix]
        if codec not in av.codecs_available:
            raise BackendError(f"this PyAV has no {codec} encoder, which {suffix} needs; install PyAV's own wheel.")
        self._av = av
        super().__init__(StagedFile(target), clip)
        self._container: Any = None
        try:
            self._container = av.open(
                str(self._staged.path), "w", format=suffix[1:], options=_CONTAINER_OPTIONS[suffix]
            )
            self._stream = self._add_stream(codec, _CODEC_OPTIONS[suffix])
        except OSError as error:
            self.discard()
            raise io_error(target, error) from error
        except BaseException:
            self.discard()
            raise

    def _add_stream(self, codec: str, options: dict[str, str]) -> Any:
        clip = self._clip
        if clip.title:
            self._container.metadata["title"] = clip.title
        if clip.comment:
            self._container.metadata["comment"] = clip.comment
        stream = self._container.add_stream(codec, rate=clip.rate, options=options)
        stream.width, stream.height, stream.pix_fmt = clip.width, clip.height, "yuv420p"
        context = stream.codec_context
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = _LIMITED_RANGE
        return stream

    def _write_frame(self, frame: npt.NDArray[np.uint8]) -> None:
        rgb = self._av.VideoFrame.from_ndarray(frame, format="rgb24")
        self._mux(rgb.reformat(format="yuv420p", dst_colorspace="ITU709"))

    def _mux(self, frame: Any) -> None:
        try:
            self._container.mux(self._stream.encode(frame))
        except self._av.FFmpegError as error:
            raise _as_os_error(error) from error

    def _finish(self) -> None:
        self._mux(None)
        try:
            container, self._container = self._container, None
            container.close()
        except self._av.FFmpegError as error:
            raise _as_os_error(error) from error
        self._check_written()

    def _check_written(self) -> None:
        # FFmpeg does not report every write that fails while it moves the index to the front.
        try:
            with self._av.open(str(self._staged.path)) as container:
                packets = sum(1 for packet in container.demux(video=0) if packet.size)
        except self._av.FFmpegError as error:
            raise _as_os_error(error) from error
        if packets != self.num_frames:
            raise OSError(f"the file holds {packets} of {self.num_frames} frames")

    def _abandon(self) -> None:
        container, self._container = self._container, None
        if container is not None:
            with contextlib.suppress(Exception):  # a full disk is why we are here
                container.close()


def _as_os_error(error: Any) -> OSError:
    return error if isinstance(error, OSError) else OSError(str(error))
