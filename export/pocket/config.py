"""Sizes of the pocket networks."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class TextConfig:
    """Text encoder: a small pre-norm transformer with sinusoidal positions."""

    vocab_size: int = 64
    width: int = 128
    layers: int = 2
    heads: int = 4
    max_length: int = 24


@dataclasses.dataclass(frozen=True)
class VaeConfig:
    """Causal video VAE. Channels from the latents outwards; depthwise layers need multiples of 32 to train fast."""

    latent_channels: int = 8
    widths: tuple[int, int, int] = (128, 64, 32)
    blocks: tuple[int, int, int] = (3, 2, 2)


@dataclasses.dataclass(frozen=True)
class DenoiserConfig:
    """Text-conditioned 3D U-Net with one level below the latents' resolution.

    `norm_first` is the order in its blocks (layers.SeparableBlock); block_order.py compares it with the other.
    """

    latent_channels: int = 8
    text_width: int = 128
    width: int = 128
    middle_width: int = 256
    condition_width: int = 192
    outer_blocks: int = 2
    middle_blocks: int = 4
    heads: int = 4
    norm_first: bool = True


@dataclasses.dataclass(frozen=True)
class PocketConfig:
    """All three networks."""

    text: TextConfig = TextConfig()
    vae: VaeConfig = VaeConfig()
    denoiser: DenoiserConfig = DenoiserConfig()


TOY = PocketConfig(
    text=TextConfig(width=32, layers=1, heads=2),
    vae=VaeConfig(latent_channels=4, widths=(32, 32, 32), blocks=(1, 1, 1)),
    denoiser=DenoiserConfig(
        latent_channels=4,
        text_width=32,
        width=32,
        middle_width=32,
        condition_width=32,
        outer_blocks=1,
        middle_blocks=2,
        heads=2,
    ),
)
"""The same classes at a size for tests."""

TEMPORAL_RATIO = 4
SPATIAL_RATIO = 8
