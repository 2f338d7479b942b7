"""The causal video VAE: 4k+1 frames to k+1 latent frames and back, as a whole or step by step."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .config import SPATIAL_RATIO, TEMPORAL_RATIO, VaeConfig
from .layers import CACHE_FRAMES, Pointwise, SeparableBlock, depth_to_space, space_to_depth

FRAMES_BEFORE_FIRST = TEMPORAL_RATIO - 1
"""The first latent frame stands for one frame alone: its copies before it are made up and dropped."""


@dataclasses.dataclass(frozen=True)
class CacheSpec:
    """A cache of the decoder's step form: (B, channels, 2, h * scale, w * scale) float32."""

    index: int
    channels: int
    scale: int
    frames: int = CACHE_FRAMES


class VaeEncoder(nn.Module):
    """Frames to the distribution of latents."""

    def __init__(self, config: VaeConfig) -> None:
        super().__init__()
        inner, middle, outer = config.widths
        self.stem = Pointwise(3 * 16, outer * 2)
        self.outer = SeparableBlock(outer * 2, causal=True)
        self.down_time = Pointwise(outer * 4, middle)
        self.middle = SeparableBlock(middle, causal=True)
        self.down = Pointwise(middle * 8, inner)
        self.inner = nn.ModuleList(SeparableBlock(inner, causal=True) for _ in range(2))
        self.head = Pointwise(inner, 2 * config.latent_channels)

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Encode.

        Args:
            frames: (B,3,4k+1,H,W) in [-1,1], H and W multiples of 8.

        Returns:
            Mean and log-variance, each (B,C,k+1,H/8,W/8).
        """
        first = frames[:, :, :1].expand(-1, -1, FRAMES_BEFORE_FIRST, -1, -1)
        x = self.stem(space_to_depth(torch.cat([first, frames], dim=2), time=1, space=4))
        x = self.down_time(space_to_depth(self.outer(x), time=2, space=1))
        x = self.down(space_to_depth(self.middle(x), time=2, space=2))
        for block in self.inner:
            x = block(x)
        mean, log_variance = self.head(x).chunk(2, dim=1)
        return mean, log_variance.clamp(-12.0, 4.0)


class VaeDecoder(nn.Module):
    """Latents to frames. Causal in time, and every norm is per position: any split into steps gives the same frames."""

    latent_mean: Tensor
    latent_std: Tensor

    def __init__(self, config: VaeConfig) -> None:
        super().__init__()
        inner, middle, outer = config.widths
        blocks = config.blocks
        self.config = config
        self.register_buffer("latent_mean", torch.zeros(config.latent_channels))
        self.register_buffer("latent_std", torch.ones(config.latent_channels))
        self.stem = Pointwise(config.latent_channels, inner)
        self.inner = nn.ModuleList(SeparableBlock(inner, causal=True) for _ in range(blocks[0]))
        self.up_inner = Pointwise(inner, middle * 8)
        self.middle = nn.ModuleList(SeparableBlock(middle, causal=True) for _ in range(blocks[1]))
        self.up_middle = Pointwise(middle, outer * 8)
        self.outer = nn.ModuleList(SeparableBlock(outer, causal=True) for _ in range(blocks[2]))
        self.head = Pointwise(outer, 3 * 4)

    def cache_specs(self) -> list[CacheSpec]:
        """The caches of the step form, in order."""
        sizes = zip(self.config.widths, self.config.blocks, (1, 2, 4), strict=True)
        shapes = [(width, scale) for width, count, scale in sizes for _ in range(count)]
        return [CacheSpec(index, channels, scale) for index, (channels, scale) in enumerate(shapes)]

    def denormalise(self, latents: Tensor) -> Tensor:
        """The denoiser's space (zero mean, unit deviation a channel) to the VAE's."""
        return latents * self.latent_std.view(1, -1, 1, 1, 1) + self.latent_mean.view(1, -1, 1, 1, 1)

    def normalise(self, latents: Tensor) -> Tensor:
        """The inverse of denormalise()."""
        return (latents - self.latent_mean.view(1, -1, 1, 1, 1)) / self.latent_std.view(1, -1, 1, 1, 1)

    def decode_raw(self, latents: Tensor) -> Tensor:
        """Latents of the VAE's own space to frames without the clamp (training)."""
        x = self.stem(latents)
        for block in self.inner:
            x = block(x)
        x = depth_to_space(self.up_inner(x), time=2, space=2)
        for block in self.middle:
            x = block(x)
        x = depth_to_space(self.up_middle(x), time=2, space=2)
        for block in self.outer:
            x = block(x)
        return depth_to_space(self.head(x), time=1, space=2)[:, :, FRAMES_BEFORE_FIRST:]

    def forward(self, latents: Tensor) -> Tensor:
        """Decode a whole clip: (B,C,T,h,w) normalised -> (B,3,4T-3,8h,8w) in [-1,1]."""
        return self.decode_raw(self.denormalise(latents)).clamp(-1.0, 1.0)

    def step(self, latents: Tensor, caches: Sequence[Tensor | None]) -> tuple[Tensor, list[Tensor]]:
        """Decode the next k latent frames.

        Args:
            latents: (B,C,k,h,w), k >= 1.
            caches: of the step before, as cache_specs() lists them; None each at the start of the clip.

        Returns:
            Frames (B,3,4k,8h,8w), the three before the first not yet dropped, and the caches of the next step.
        """
        before = iter(caches)
        after: list[Tensor] = []

        def run(blocks: nn.ModuleList, x: Tensor) -> Tensor:
            for block in blocks:
                assert isinstance(block, SeparableBlock)
                x, cache = block.step(x, next(before))
                after.append(cache)
            return x

        x = run(self.inner, self.stem(self.denormalise(latents)))
        x = run(self.middle, depth_to_space(self.up_inner(x), time=2, space=2))
        x = run(self.outer, depth_to_space(self.up_middle(x), time=2, space=2))
        return depth_to_space(self.head(x), time=1, space=2).clamp(-1.0, 1.0), after


class ImageEncoder(nn.Module):
    """Module vae_encoder: image (B,3,1,H,W) in [-1,1] -> latents (B,C,1,h,w), the mode, in the denoiser's space."""

    def __init__(self, encoder: VaeEncoder, decoder: VaeDecoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder

    def forward(self, image: Tensor) -> Tensor:
        """Encode a clip's first frame; a whole clip (B,3,4k+1,H,W) to (B,C,k+1,h,w) as well."""
        return self.decoder.normalise(self.encoder(image)[0])


class FirstStep(nn.Module):
    """Module vae_decoder_first: latents (B,C,1,h,w) -> frames (B,3,1,H,W) and caches."""

    def __init__(self, decoder: VaeDecoder) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(self, latents: Tensor) -> tuple[Tensor, ...]:
        """Decode the clip's first latent frame."""
        frames, caches = self.decoder.step(latents, [None] * len(self.decoder.cache_specs()))
        return frames[:, :, FRAMES_BEFORE_FIRST:], *caches


class NextStep(nn.Module):
    """Module vae_decoder_next: latents (B,C,k,h,w) and caches -> frames (B,3,4k,H,W) and caches."""

    def __init__(self, decoder: VaeDecoder) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(self, latents: Tensor, *caches: Tensor) -> tuple[Tensor, ...]:
        """Decode further latent frames."""
        frames, after = self.decoder.step(latents, caches)
        return frames, *after


assert SPATIAL_RATIO == 8  # two depth-to-space by 2 and the head's 2
