"""Whether generated clips are copies of training clips: how near the nearest is, beside that of real new ones."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from vidrt.export.pocket.captions import all_attributes, training_attributes
from vidrt.export.pocket.dataset import draw
from vidrt.export.pocket.render import ClipSize

from .probe import Frames

GRID = 8
"""Clips are compared as coarse as this a side: an object's place, size and colour, not its edges."""
NEW_SEEDS = 1_000_003
"""Far from any seed of the training's clips."""

Floats = npt.NDArray[np.float32]


@dataclasses.dataclass(frozen=True)
class Nearness:
    """Root-mean-square distance to the nearest training clip, in grey levels: the medians, and the smallest."""

    training_clips: int
    generated: float
    generated_smallest: float
    real: float
    real_smallest: float

    def __str__(self) -> str:
        return (
            f"{self.generated:.1f} grey levels from the nearest of {self.training_clips} training clips (smallest "
            f"{self.generated_smallest:.1f}); real clips never trained on: {self.real:.1f} (smallest "
            f"{self.real_smallest:.1f})"
        )


def coarse(clip: Frames) -> Floats:
    """(F,H,W,3) uint8 -> a vector: means over a grid of GRID by GRID fields of each frame."""
    f, h, w, _ = clip.shape
    fields = clip.reshape(f, GRID, h // GRID, GRID, w // GRID, 3).astype(np.float32).mean(axis=(2, 4))
    return fields.reshape(-1)


def nearest(clips: Floats, training: Floats) -> Floats:
    """(N,D) and (M,D) -> the distance (N) of each to the nearest of the others."""
    squares = (clips**2).sum(axis=1)[:, None] + (training**2).sum(axis=1) - 2 * clips @ training.T
    result: Floats = np.sqrt(squares.min(axis=1).clip(min=0) / clips.shape[1])
    return result


def draw_coarse(count: int, seed: int, size: ClipSize, only_trained: bool) -> Floats:
    """Clips as dataset.draw_clips() draws them from this seed, coarse."""
    choices = training_attributes() if only_trained else all_attributes()
    return np.stack([coarse(clip) for _, clip, _ in draw(choices, count, seed, size)])


def nearness(generated: list[Floats], size: ClipSize, training_clips: int, training_seed: int) -> Nearness:
    """Compare generated clips, and as many new real ones, with the first clips that training drew.

    Args:
        generated: Of coarse(), from clips of `size`.
        size: Height and width are multiples of GRID.
        training_clips: How many of the training clips to draw again.
        training_seed: What the training drew the clips of this size from.
    """
    training = draw_coarse(training_clips, training_seed, size, only_trained=True)
    ours = nearest(np.stack(generated), training)
    new = nearest(draw_coarse(len(generated), training_seed + NEW_SEEDS, size, only_trained=False), training)
    return Nearness(training_clips, float(np.median(ours)), float(ours.min()), float(np.median(new)), float(new.min()))
