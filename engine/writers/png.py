"""A folder of PNG files: frame_00000.png, frame_00001.png, ..."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from vidrt.engine.writers.base import ClipFormat, VideoWriter
from vidrt.engine.writers.staging import StagedFolder


class PngWriter(VideoWriter):
    """Writes frames as they come. Each carries the metadata, so that a frame on its own still says what it is."""

    def __init__(self, target: Path, clip: ClipFormat) -> None:
        super().__init__(StagedFolder(target), clip)
        self._info = PngInfo()
        if clip.comment:
            self._info.add_itxt("Comment", clip.comment)

    def _write_frame(self, frame: npt.NDArray[np.uint8]) -> None:
        name = f"frame_{self.num_frames:05d}.png"
        Image.fromarray(frame).save(self._staged.path / name, format="PNG", pnginfo=self._info)

    def _finish(self) -> None:
        """Every file is already closed."""

    def _abandon(self) -> None:
        """Nothing is held open."""
