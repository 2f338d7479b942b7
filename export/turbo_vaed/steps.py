"""The causal decoder as the two step graphs of form *causal*: the first latent frame, and further ones."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor, nn

from .config import TurboVaedConfig
from .decoder import TurboVaedDecoder


@dataclasses.dataclass(frozen=True)
class CacheSpec:
    """What a step hands to the next: (B, channels, frames, h * scale, w * scale) float32."""

    index: int
    channels: int
    frames: int
    scale: int


def cache_specs(config: TurboVaedConfig) -> list[CacheSpec]:
    """The caches of a causal configuration, in the order in which its convolutions run."""
    with torch.device("meta"):  # shapes alone: nothing is computed
        _, caches = TurboVaedDecoder(config).step(torch.empty(1, config.latent_channels, 1, 1, 1), None)
    shapes = (cache.shape for cache in caches)
    return [CacheSpec(index, shape[1], shape[2], shape[3]) for index, shape in enumerate(shapes)]


class FirstStep(nn.Module):
    """Module vae_decoder_first: latents (B,C,1,h,w) -> frames (B,3,1,H,W) and caches."""

    def __init__(self, decoder: TurboVaedDecoder) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(self, latents: Tensor) -> tuple[Tensor, ...]:
        """Decode the clip's first latent frame."""
        frames, caches = self.decoder.step(latents, None)
        return frames, *caches


class NextStep(nn.Module):
    """Module vae_decoder_next: latents (B,C,k,h,w) and caches -> frames (B,3,rk,H,W) and caches."""

    def __init__(self, decoder: TurboVaedDecoder) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(self, latents: Tensor, *caches: Tensor) -> tuple[Tensor, ...]:
        """Decode further latent frames."""
        frames, after = self.decoder.step(latents, caches)
        return frames, *after
