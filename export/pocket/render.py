"""Clips drawn from attributes: one anti-aliased shape that moves and bounces off the edges."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from .captions import Attributes

RADIUS = {"small": 0.105, "large": 0.185}
"""Half the object's extent as a share of the picture's height."""
SPEED = {"slow": 0.014, "fast": 0.031}
"""Distance a frame, as a share of the picture's height."""
ANGULAR_SPEED = {"slow": 0.14, "fast": 0.33}
"""Radians a frame on an orbit."""
ORBIT = 0.22
DIRECTION = {"left": (-1.0, 0.0), "right": (1.0, 0.0), "up": (0.0, -1.0), "down": (0.0, 1.0)}
COLOUR = {
    "red": (220, 40, 40),
    "green": (40, 180, 60),
    "blue": (50, 80, 230),
    "yellow": (240, 215, 40),
    "purple": (160, 60, 200),
    "cyan": (40, 200, 215),
}
BACKGROUND = {"dark": (24, 24, 30), "light": (228, 228, 232)}
PLANNED_FRAMES = 17
"""A straight path starts where it can go on for so many frames before the first bounce, if there is room."""

Floats = npt.NDArray[np.float32]


@dataclasses.dataclass(frozen=True)
class ClipSize:
    """Pixels and frames of a clip."""

    num_frames: int = 17
    height: int = 64
    width: int = 64


def reflect(position: Floats, low: float, high: float) -> Floats:
    """Fold a straight path into [low, high] as a ball bounces between walls."""
    span = max(high - low, 1e-6)
    phase = np.mod(position - low, 2 * span)
    return (low + np.where(phase > span, 2 * span - phase, phase)).astype(np.float32)


def path(attributes: Attributes, size: ClipSize, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Centres (x, y) of the object for each frame, in shares of the picture's height."""
    aspect = size.width / size.height
    radius = RADIUS[attributes.size]
    frames = np.arange(size.num_frames, dtype=np.float32)
    low, high_x, high_y = radius + 0.02, aspect - radius - 0.02, 1.0 - radius - 0.02
    if attributes.motion == "circling":
        orbit = min(ORBIT, (high_x - low) / 2, (high_y - low) / 2)
        x0 = rng.uniform(low + orbit, max(high_x - orbit, low + orbit))
        y0 = rng.uniform(low + orbit, max(high_y - orbit, low + orbit))
        turn = rng.choice([-1.0, 1.0]) * ANGULAR_SPEED[attributes.speed]
        angle = rng.uniform(0, 2 * np.pi) + turn * frames
        return (x0 + orbit * np.cos(angle)).astype(np.float32), (y0 + orbit * np.sin(angle)).astype(np.float32)
    dx, dy = DIRECTION.get(attributes.motion, (0.0, 0.0))
    speed = SPEED[attributes.speed]
    reach = speed * (PLANNED_FRAMES - 1)

    def start(direction: float, high: float) -> float:
        room = min(reach, high - low)
        if direction > 0:
            return float(rng.uniform(low, high - room))
        if direction < 0:
            return float(rng.uniform(low + room, high))
        return float(rng.uniform(low, high))

    x = reflect(start(dx, high_x) + dx * speed * frames, low, high_x)
    y = reflect(start(dy, high_y) + dy * speed * frames, low, high_y)
    return x, y


def coverage(shape: str, dx: Floats, dy: Floats, radius: float, pixel: float) -> Floats:
    """How much of each pixel the shape covers, from its signed distance; dx and dy are offsets from its centre."""
    if shape == "circle":
        distance = np.sqrt(dx * dx + dy * dy) - radius
    elif shape == "square":
        distance = np.maximum(np.abs(dx), np.abs(dy)) - 0.886 * radius  # the circle's area
    else:
        # Equilateral, point up: three half-planes around the centroid.
        slope = np.abs(dx) * 0.8660254 - dy * 0.5
        distance = np.maximum(slope, dy) - 0.6 * radius
    return np.clip(0.5 - distance / pixel, 0.0, 1.0).astype(np.float32)


def render(attributes: Attributes, size: ClipSize, rng: np.random.Generator) -> tuple[npt.NDArray[np.uint8], Floats]:
    """Draw a clip.

    Returns:
        Frames (F,H,W,3) uint8 and the object's coverage (F,H,W) float32.
    """
    xs, ys = path(attributes, size, rng)
    pixel = 1.0 / size.height
    columns = ((np.arange(size.width) + 0.5) * pixel).astype(np.float32)
    rows = ((np.arange(size.height) + 0.5) * pixel).astype(np.float32)
    dx = columns[None, None, :] - xs[:, None, None]
    dy = rows[None, :, None] - ys[:, None, None]
    mask = coverage(attributes.shape, dx, dy, RADIUS[attributes.size], pixel)
    background = np.array(BACKGROUND[attributes.background], np.float32)
    colour = np.array(COLOUR[attributes.colour], np.float32)
    frames = background + mask[..., None] * (colour - background)
    return np.rint(frames).astype(np.uint8), mask
