"""What the autoencoder alone keeps of clips that it was not trained on."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

from vidrt.export.pocket.captions import all_attributes
from vidrt.export.pocket.checkpoint import Networks
from vidrt.export.pocket.dataset import draw
from vidrt.export.pocket.losses import to_frames
from vidrt.export.pocket.render import ClipSize


@dataclasses.dataclass(frozen=True)
class Reconstruction:
    """Peak signal-to-noise ratio of clips encoded and decoded, in dB of 8-bit frames: over all clips, and the worst."""

    clips: int
    mean: float
    worst: float

    def __str__(self) -> str:
        return f"{self.mean:.1f} dB, the worst of {self.clips} clips {self.worst:.1f} dB"


@torch.inference_mode()
def reconstruct(networks: Networks, size: ClipSize, clips: int, seed: int) -> Reconstruction:
    """Encode and decode clips of all combinations, drawn from a seed."""
    decibels = []
    for _, clip, _ in draw(all_attributes(), clips, seed, size):
        frames = to_frames(clip[None])
        decoded = networks.vae_decoder.decode_raw(networks.vae_encoder(frames)[0]).clamp(-1.0, 1.0)
        # What a viewer gets is rounded to 8 bits.
        error = ((decoded + 1) * 127.5).round() - (frames + 1) * 127.5
        decibels.append(float(10 * torch.log10(255**2 / error.square().mean())))
    return Reconstruction(clips, float(np.mean(decibels)), min(decibels))
