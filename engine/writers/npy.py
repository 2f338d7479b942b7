"""NumPy's own format: all frames as one array (F, H, W, 3), of either output type."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from vidrt.engine.writers.base import ClipFormat, VideoWriter
from vidrt.engine.writers.staging import StagedFile, io_error

_MAGIC = b"\x93NUMPY\x01\x00"  # with the version of the format, whose header's length is two bytes
_HEADER_BYTES = 128  # a multiple of 64, as the format wants, with room for any number of frames


class NpyWriter(VideoWriter):
    """Writes frames as they come. The header has their number, and is written last."""

    def __init__(self, target: Path, clip: ClipFormat) -> None:
        super().__init__(StagedFile(target), clip)
        try:
            self._file = self._staged.path.open("wb")
            self._file.write(self._header())
        except OSError as error:
            self._staged.discard()
            raise io_error(target, error) from error

    def _header(self) -> bytes:
        # numpy.lib.format: magic, version, the rest's length, a dictionary padded by blanks to a line's end.
        shape = (self.num_frames, self._clip.height, self._clip.width, 3)
        described = {"descr": np.dtype(self._clip.output_type).str, "fortran_order": False, "shape": shape}
        length = _HEADER_BYTES - len(_MAGIC) - 2
        return _MAGIC + length.to_bytes(2, "little") + repr(described).ljust(length - 1).encode() + b"\n"

    def _write_frame(self, frame: npt.NDArray[Any]) -> None:
        self._file.write(frame.tobytes())

    def _finish(self) -> None:
        self._file.seek(0)
        self._file.write(self._header())
        self._file.close()

    def _abandon(self) -> None:
        with contextlib.suppress(OSError):  # as in a full disk
            self._file.close()
