"""A classifier of the six attributes, trained on real clips, that looks at generated ones."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidrt.export.pocket.captions import (
    BACKGROUNDS,
    COLOURS,
    MOTIONS,
    SHAPES,
    SIZES,
    SPEEDS,
    Attributes,
    all_attributes,
)
from vidrt.export.pocket.render import PLANNED_FRAMES, ClipSize, render

VALUES: dict[str, list[str]] = {
    "shape": list(SHAPES),
    "colour": list(COLOURS),
    "size": list(SIZES),
    "motion": list(MOTIONS),
    "speed": list(SPEEDS),
    "background": list(BACKGROUNDS),
}
"""The attributes and their values; the order is that of the classes."""
APPEARANCE = ("shape", "colour", "size", "background")
MOVEMENT = ("motion", "speed")
SIDE = 64
"""Clips of other sizes are brought to this one first."""
BATCH = 32
LOOKS = 3
"""Frames of a training clip whose appearance is looked at."""
NOISE = 6.0 / 127.5
"""Largest deviation of the noise that training adds, so that a decoder's small faults do not count as another shape."""

Frames = npt.NDArray[np.uint8]


@dataclasses.dataclass(frozen=True)
class ProbeOptions:
    """How the probe is trained."""

    steps: int = 500
    learning_rate: float = 2e-3
    seed: int = 1


def to_input(clips: Frames) -> Tensor:
    """(B,F,H,W,3) uint8 of any size -> (B,F,3,64,64) float32 in [-1,1]."""
    frames = torch.from_numpy(clips).permute(0, 1, 4, 2, 3).float() / 127.5 - 1
    if frames.shape[-2:] == (SIDE, SIDE):
        return frames
    b, f = frames.shape[:2]
    return F.interpolate(frames.flatten(0, 1), size=(SIDE, SIDE), mode="area").unflatten(0, (b, f))


class Probe(nn.Module):
    """Two small networks: one looks at single frames, one at how a coarse picture changes."""

    def __init__(self) -> None:
        super().__init__()
        self.look = nn.Sequential(
            nn.Conv2d(3, 32, 5, stride=2, padding=2),
            nn.ReLU(),
            nn.Conv2d(32, 64, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(64, 128, 3, stride=2, padding=1),
            nn.ReLU(),
        )
        self.watch = nn.Sequential(
            nn.Conv3d(3, 32, 3, padding=1),
            nn.ReLU(),
            nn.Conv3d(32, 64, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv3d(64, 96, 3, stride=(1, 2, 2), padding=1),
            nn.ReLU(),
        )
        widths = dict.fromkeys(APPEARANCE, 2 * 128) | dict.fromkeys(MOVEMENT, 2 * 96)
        self.heads = nn.ModuleDict({name: nn.Linear(widths[name], len(values)) for name, values in VALUES.items()})

    def appearance(self, frames: Tensor) -> dict[str, Tensor]:
        """(N,3,64,64) -> logits of shape, colour, size and background."""
        features = self.look(frames)
        pooled = torch.cat([features.amax(dim=(2, 3)), features.mean(dim=(2, 3))], dim=1)
        return {name: self.heads[name](pooled) for name in APPEARANCE}

    def movement(self, clips: Tensor) -> dict[str, Tensor]:
        """(B,F,3,64,64) -> logits of motion and speed."""
        b, f = clips.shape[:2]
        coarse = F.avg_pool2d(clips.flatten(0, 1), 4).unflatten(0, (b, f)).transpose(1, 2)
        features = self.watch(coarse)
        pooled = torch.cat([features.amax(dim=(2, 3, 4)), features.mean(dim=(2, 3, 4))], dim=1)
        return {name: self.heads[name](pooled) for name in MOVEMENT}

    @torch.no_grad()
    def classify(self, clip: Frames) -> dict[str, npt.NDArray[np.float64]]:
        """Probabilities of each attribute's values for one clip (F,H,W,3) uint8.

        Appearance is the mean over all frames. Movement is judged before the first bounce off an edge can come.
        """
        frames = to_input(clip[None])
        logits = {name: value.softmax(dim=1).mean(dim=0) for name, value in self.appearance(frames[0]).items()}
        logits |= {name: value.softmax(dim=1)[0] for name, value in self.movement(frames[:, :PLANNED_FRAMES]).items()}
        return {name: value.double().numpy() for name, value in logits.items()}


def draw_batch(picker: random.Random, rng: np.random.Generator) -> tuple[Tensor, list[Attributes]]:
    """Real clips, some blurred, all with a little noise."""
    shown = [picker.choice(all_attributes()) for _ in range(BATCH)]
    clips = to_input(np.stack([render(one, ClipSize(), rng)[0] for one in shown]))
    blurred = F.avg_pool2d(clips.flatten(0, 1), 3, stride=1, padding=1, count_include_pad=False).view_as(clips)
    blur = torch.from_numpy(rng.random((BATCH, 1, 1, 1, 1)) < 0.3)
    deviation = torch.from_numpy(rng.uniform(0, NOISE, (BATCH, 1, 1, 1, 1))).float()
    noise = torch.from_numpy(rng.standard_normal(tuple(clips.shape), dtype=np.float32))
    return torch.where(blur, blurred, clips) + deviation * noise, shown


def train_probe(options: ProbeOptions, on_step: Callable[[int], object] = lambda _: None) -> Probe:
    """Train on clips drawn as it goes; the same probe for the same options on the same machine."""
    picker, rng = random.Random(options.seed), np.random.default_rng(options.seed)
    with torch.random.fork_rng():
        torch.manual_seed(options.seed)
        probe = Probe()
    optimizer = torch.optim.AdamW(probe.parameters(), lr=options.learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, options.learning_rate, total_steps=options.steps)
    for step in range(options.steps):
        clips, shown = draw_batch(picker, rng)
        looks = torch.from_numpy(rng.integers(0, clips.shape[1], (BATCH, LOOKS)))
        frames = clips[torch.arange(BATCH).unsqueeze(1), looks].flatten(0, 1)
        logits = probe.appearance(frames) | probe.movement(clips)
        loss = torch.zeros(())
        for name, value in logits.items():
            target = torch.tensor([VALUES[name].index(getattr(one, name)) for one in shown])
            target = target.repeat_interleave(len(value) // BATCH)
            loss = loss + F.cross_entropy(value, target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        on_step(step + 1)
    return probe.eval()
