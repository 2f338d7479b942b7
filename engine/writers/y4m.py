"""YUV4MPEG2, the uncompressed format that encoders and players read from a pipe: full chroma, BT.601, limited range."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vidrt.engine.writers.base import ClipFormat, VideoWriter
from vidrt.engine.writers.staging import StagedFile, io_error

# Rows Y, Cb, Cr of ITU-R BT.601 for 8-bit RGB, scaled to 219 and 224 levels. The format cannot name its matrix, and
# readers take this one.
_KR, _KB = 0.299, 0.114
_KG = 1.0 - _KR - _KB
_RGB_TO_YUV = np.array(
    [
        [219 * _KR, 219 * _KG, 219 * _KB],
        [-112 * _KR / (1 - _KB), -112 * _KG / (1 - _KB), 112],
        [112, -112 * _KG / (1 - _KR), -112 * _KB / (1 - _KR)],
    ],
    np.float32,
) / np.float32(255)
_OFFSET = np.array([16, 128, 128], np.float32)


class Y4mWriter(VideoWriter):
    """Writes frames as they come."""

    def __init__(self, target: Path, clip: ClipFormat) -> None:
        super().__init__(StagedFile(target), clip)
        header = f"YUV4MPEG2 W{clip.width} H{clip.height} F{clip.rate.numerator}:{clip.rate.denominator} Ip A1:1 C444"
        try:
            self._file = self._staged.path.open("wb")
            self._file.write(f"{header} XCOLORRANGE=LIMITED\n".encode())
        except OSError as error:
            self._staged.discard()
            raise io_error(target, error) from error

    def _write_frame(self, frame: npt.NDArray[np.uint8]) -> None:
        # (H, W, 3) RGB -> (3, H, W) planes
        planes = np.rint(frame @ _RGB_TO_YUV.T + _OFFSET).astype(np.uint8).transpose(2, 0, 1)
        self._file.write(b"FRAME\n")
        self._file.write(planes.tobytes())

    def _finish(self) -> None:
        self._file.close()

    def _abandon(self) -> None:
        with contextlib.suppress(OSError):  # a full disk refuses the rest of the buffer; the descriptor is released
            self._file.close()
