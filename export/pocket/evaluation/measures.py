"""What can be measured in a clip without a network: objects, sharpness, flicker, smoothness of the motion."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

Frames = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

OBJECT_CONTRAST = 60.0
"""Grey levels, summed over the channels, by which a pixel of the object differs from the background."""
SMALLEST_OBJECT = 0.003
"""Share of the picture under which a spot is a speck and no object."""
MARGIN = 5
"""Pixels around the object, at 64 x 64, that do not count as background."""


@dataclasses.dataclass(frozen=True)
class Measures:
    """Of one clip.

    Attributes:
        one_object: Every frame shows exactly one.
        sharpness: Mean over frames of the steepest step between neighbouring pixels, in grey levels.
        flicker: Mean change of background pixels from frame to frame, in grey levels.
        jerk: Root mean square of the change of the object's velocity, in pixels a frame squared at 64 x 64. Not a
            number where the object is not seen in every frame.
    """

    one_object: bool
    sharpness: float
    flicker: float
    jerk: float


def background_colour(clip: Frames) -> npt.NDArray[np.float64]:
    """The median of the picture's edge over the whole clip."""
    edge = np.concatenate([clip[:, [0, -1]].reshape(-1, 3), clip[:, :, [0, -1]].reshape(-1, 3)])
    colour: npt.NDArray[np.float64] = np.median(edge, axis=0)
    return colour


def object_mask(clip: Frames) -> Mask:
    """(F,H,W): pixels that differ from the background."""
    difference = np.abs(clip.astype(np.float64) - background_colour(clip)).sum(axis=-1)
    mask: Mask = difference > OBJECT_CONTRAST
    return mask


def count_objects(mask: Mask) -> npt.NDArray[np.int64]:
    """Connected spots (with diagonals) of each frame of (F,H,W) that are larger than a speck."""
    inside = torch.from_numpy(mask)
    labels = torch.arange(1.0, mask[0].size + 1, dtype=torch.float64).view(1, *mask.shape[1:]) * inside
    while True:  # the largest label of a spot spreads over all of it
        spread = F.max_pool2d(labels.unsqueeze(1), 3, stride=1, padding=1).squeeze(1) * inside
        if torch.equal(spread, labels):
            break
        labels = spread
    smallest = SMALLEST_OBJECT * mask[0].size
    counts = []
    for frame in labels.numpy():
        _, sizes = np.unique(frame[frame > 0], return_counts=True)
        counts.append(int((sizes >= smallest).sum()))
    return np.array(counts, np.int64)


def centres(mask: Mask) -> npt.NDArray[np.float64]:
    """(F,2) x and y of the object's centre, in shares of the height; not a number where there is none."""
    rows, columns = np.mgrid[0 : mask.shape[1], 0 : mask.shape[2]]
    area = mask.sum(axis=(1, 2)).astype(np.float64)
    area[area == 0] = np.nan
    points = [(mask * axis).sum(axis=(1, 2)) / area for axis in (columns, rows)]
    return np.stack(points, axis=1) / mask.shape[1]


def flicker_of(clip: Frames, mask: Mask) -> float:
    """Mean absolute change of what is background in both of two neighbouring frames."""
    margin = max(1, round(MARGIN * clip.shape[1] / 64))
    near = F.max_pool2d(torch.from_numpy(mask).float().unsqueeze(1), 2 * margin + 1, stride=1, padding=margin)
    far = near.squeeze(1).numpy() == 0
    both = far[1:] & far[:-1]
    change = np.abs(np.diff(clip.astype(np.float64), axis=0)).mean(axis=-1)
    return float(change[both].mean()) if both.any() else float("nan")


def measure(clip: Frames) -> Measures:
    """Measure a clip (F,H,W,3) of at least 3 frames."""
    mask = object_mask(clip)
    grey = clip.astype(np.float64).mean(axis=-1)
    steps = [np.abs(np.diff(grey, axis=axis)).max(axis=(1, 2)) for axis in (1, 2)]
    jerk = np.diff(centres(mask), n=2, axis=0) * 64
    return Measures(
        one_object=bool((count_objects(mask) == 1).all()),
        sharpness=float(np.maximum(*steps).mean()),
        flicker=flicker_of(clip, mask),
        jerk=float(np.sqrt((jerk**2).sum(axis=1).mean())),
    )
