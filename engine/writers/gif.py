"""GIF through Pillow: one palette for the whole clip, so that still parts stay still."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from vidrt.engine.errors import InvalidArgument
from vidrt.engine.writers.base import ClipFormat, VideoWriter
from vidrt.engine.writers.staging import StagedFile

_MAX_FPS = 50  # delays are hundredths of a second, and browsers play a delay of 1 as 10
_COLOURS = 256
_PALETTE_SAMPLES = 1 << 19  # pixels looked at to choose the palette


class GifWriter(VideoWriter):
    """Collects the frames: the palette depends on all of them."""

    def __init__(self, target: Path, clip: ClipFormat) -> None:
        if clip.fps > _MAX_FPS:
            raise InvalidArgument(f".gif shows at most {_MAX_FPS} frames a second, got {clip.fps:g}; use .mp4.")
        super().__init__(StagedFile(target), clip)
        self._frames: list[npt.NDArray[np.uint8]] = []

    def _write_frame(self, frame: npt.NDArray[np.uint8]) -> None:
        self._frames.append(frame.copy())

    def _finish(self) -> None:
        palette = self._palette()
        # Dithering would flicker: the error it spreads changes everywhere behind whatever moves.
        images = [Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.NONE) for frame in self._frames]
        with self._staged.path.open("wb") as file:
            images[0].save(
                file,
                format="GIF",
                save_all=True,
                append_images=images[1:],
                duration=self._durations(),
                loop=0,
                comment=self._clip.comment.encode(),
            )

    def _palette(self) -> Image.Image:
        pixels = np.concatenate([frame.reshape(-1, 3) for frame in self._frames])
        pixels = pixels[:: -(-len(pixels) // _PALETTE_SAMPLES)]
        return Image.fromarray(pixels[np.newaxis]).quantize(_COLOURS, method=Image.Quantize.MEDIANCUT, kmeans=2)

    def _durations(self) -> list[int]:
        # Milliseconds in steps of 10; the rounding of one frame is made up for by the next.
        ends = [round(index * 100 / self._clip.fps) for index in range(len(self._frames) + 1)]
        return [10 * (end - start) for start, end in itertools.pairwise(ends)]

    def _abandon(self) -> None:
        self._frames.clear()
