"""Clips and latents as arrays on disk, drawn once and used by every stage of training."""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from rich.progress import track
from torch import Tensor

from .captions import Attributes, training_attributes
from .render import ClipSize, render


@dataclasses.dataclass(frozen=True)
class DrawnClips:
    """Clips of one size.

    Attributes:
        frames: (N,F,H,W,3) uint8.
        masks: The object's coverage times 255, (N,F,H,W) uint8.
        latents: (N,C,T,h,w) float32, normalised.
        attributes: What each shows.
        share: Of the batches, those of this size.
    """

    frames: npt.NDArray[np.uint8]
    masks: npt.NDArray[np.uint8]
    latents: Tensor
    attributes: list[Attributes]
    share: float


def _write_array(path: Path, array: npt.NDArray[Any]) -> None:
    temporary = path.with_name(path.name + ".tmp")
    try:
        with temporary.open("wb") as file:
            np.save(file, array)
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def draw(
    choices: list[Attributes], count: int, seed: int, size: ClipSize
) -> Iterator[tuple[Attributes, npt.NDArray[np.uint8], npt.NDArray[np.float32]]]:
    """Clips of a seed, one after another: what each shows, frames (F,H,W,3), coverage (F,H,W)."""
    picker, rng = random.Random(seed), np.random.default_rng(seed)
    for _ in range(count):
        attributes = picker.choice(choices)
        yield attributes, *render(attributes, size, rng)


def draw_clips(folder: Path, count: int, seed: int, size: ClipSize) -> None:
    """Draw `count` clips of the training combinations into folder; does nothing where they are there already.

    Writes frames.npy (N,F,H,W,3) uint8, masks.npy (N,F,H,W) uint8 (coverage times 255) and attributes.json.
    """
    request = {"count": count, "seed": seed, "size": [size.num_frames, size.height, size.width]}
    done = folder / "request.json"
    if done.is_file() and json.loads(done.read_text()) == request:
        return
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "latents.npy").unlink(missing_ok=True)  # of other clips
    frames = np.empty((count, size.num_frames, size.height, size.width, 3), np.uint8)
    masks = np.empty(frames.shape[:-1], np.uint8)
    drawn: list[list[str]] = []
    clips = track(draw(training_attributes(), count, seed, size), f"drawing {folder.name}", count)
    for index, (attributes, clip, mask) in enumerate(clips):
        frames[index] = clip
        masks[index] = np.rint(mask * 255)
        drawn.append(list(vars(attributes).values()))
    _write_array(folder / "frames.npy", frames)
    _write_array(folder / "masks.npy", masks)
    (folder / "attributes.json").write_text(json.dumps(drawn))
    done.write_text(json.dumps(request))


def load_frames(folder: Path) -> npt.NDArray[np.uint8]:
    """The clips, (N,F,H,W,3) uint8, mapped from disk."""
    array: npt.NDArray[np.uint8] = np.load(folder / "frames.npy", mmap_mode="r")
    return array


def load_masks(folder: Path) -> npt.NDArray[np.uint8]:
    """The object's coverage times 255, (N,F,H,W) uint8, mapped from disk."""
    array: npt.NDArray[np.uint8] = np.load(folder / "masks.npy", mmap_mode="r")
    return array


def save_latents(folder: Path, latents: npt.NDArray[np.float32]) -> None:
    """Keep normalised latents (N,C,T,h,w) beside the clips they were made from."""
    _write_array(folder / "latents.npy", latents)


def has_latents(folder: Path) -> bool:
    """Whether save_latents was called for the clips that are there now."""
    return (folder / "latents.npy").is_file()


def load_attributes(folder: Path) -> list[Attributes]:
    """What each clip of a drawn folder shows."""
    return [Attributes(*values) for values in json.loads((folder / "attributes.json").read_text())]


def load_clips(folder: Path, share: float) -> DrawnClips:
    """A folder of drawn and encoded clips; frames and masks are mapped from disk, latents are in memory."""
    latents = torch.from_numpy(np.load(folder / "latents.npy"))
    return DrawnClips(load_frames(folder), load_masks(folder), latents, load_attributes(folder), share)
