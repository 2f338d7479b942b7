"""The VAE's decoder as the two step graphs of form *causal*, for AutoencoderKLWan of Wan2.1 and of Wan2.2."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import torch
from diffusers import AutoencoderKLWan
from diffusers.models.autoencoders.autoencoder_kl_wan import (
    WanMidBlock,
    WanResample,
    WanResidualBlock,
    WanResidualUpBlock,
    WanUpBlock,
)
from torch import Tensor, nn

from .clip_layout import CACHE_FRAMES, ChannelsFirst, ClipLayout, attended, upsampled
from .latents import statistics


@dataclasses.dataclass(frozen=True)
class CacheSpec:
    """What a step hands to the next: (B, channels, frames, h * scale, w * scale) float32."""

    index: int
    channels: int
    frames: int
    scale: int


class WanVaeDecoder(nn.Module):
    """The decoder's weights, and what lies between the denoiser's latents and its own.

    Args:
        vae: The autoencoder, of which only the decoder's part is kept.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, vae: AutoencoderKLWan) -> None:
        super().__init__()
        self.decoder = vae.decoder
        self.post_quant_conv = vae.post_quant_conv
        self.patch_size: int = vae.config.patch_size or 1
        self.temporal_ratio = 2 ** sum(vae.config.temperal_downsample)
        for name, values in statistics(vae).items():
            self.register_buffer(name, values, persistent=False)

    def step(self, latents: Tensor, caches: Sequence[Tensor] | None, layout: ClipLayout) -> tuple[Tensor, list[Tensor]]:
        """Decode the next latent frames.

        Args:
            latents: (B,C,k,h,w) of the denoiser's space; k is 1 at the start of the clip.
            caches: Of the step before; None at the start of the clip.
            layout: How it is computed.

        Returns:
            Frames (B,3,F,H,W) in [-1,1], 1 at the start of the clip and temporal_ratio * k after it, and the caches of
            the next step.
        """
        run = _Step(layout, caches)
        decoder = self.decoder
        x = layout.pointwise(self.post_quant_conv, layout.enter(latents * self.std + self.mean))
        x = run.causal(decoder.conv_in, x)
        x = run.middle(decoder.mid_block, x)
        for block in decoder.up_blocks:
            x = run.up(block, x)
        x = run.causal(decoder.conv_out, nn.functional.silu(layout.norm(decoder.norm_out, x)))
        return self._unpatched(layout.leave(x)).clamp(-1.0, 1.0), run.after

    def _unpatched(self, frames: Tensor) -> Tensor:
        size = self.patch_size
        if size == 1:
            return frames
        # Columns within a patch come before rows.
        x = frames.unflatten(1, (-1, size, size)).permute(0, 1, 4, 5, 3, 6, 2)
        return x.flatten(5, 6).flatten(3, 4)


class _Step:
    """One pass through the decoder: takes the caches one by one and collects those of the next step."""

    def __init__(self, layout: ClipLayout, caches: Sequence[Tensor] | None) -> None:
        self.layout = layout
        self.first = caches is None
        self.after: list[Tensor] = []
        self._before: Iterator[Tensor] | None = None if caches is None else iter(caches)

    def causal(self, layer: nn.Module, x: Tensor) -> Tensor:
        cache = None if self._before is None else next(self._before)
        x, after = self.layout.causal(layer, x, cache)
        self.after.append(after)
        return x

    def residual(self, block: WanResidualBlock, x: Tensor) -> Tensor:
        shortcut = self.layout.pointwise(block.conv_shortcut, x)
        x = self.causal(block.conv1, block.nonlinearity(self.layout.norm(block.norm1, x)))
        x = self.causal(block.conv2, block.nonlinearity(self.layout.norm(block.norm2, x)))
        return x + shortcut

    def middle(self, block: WanMidBlock, x: Tensor) -> Tensor:
        x = self.residual(block.resnets[0], x)
        for attention, resnet in zip(block.attentions, block.resnets[1:], strict=True):
            x = self.layout.clip_of(attended(attention, self.layout.frames_of(x)), x.shape[0])
            x = self.residual(resnet, x)
        return x

    def up(self, block: WanUpBlock | WanResidualUpBlock, x: Tensor) -> Tensor:
        before = x
        for resnet in block.resnets:
            x = self.residual(resnet, x)
        if isinstance(block, WanResidualUpBlock):
            if block.upsampler is not None:
                x = self.resample(block.upsampler, x)
            if block.avg_shortcut is not None:
                x = x + self.layout.spread_shortcut(block.avg_shortcut, before, self.first)
        elif block.upsamplers is not None:
            x = self.resample(block.upsamplers[0], x)
        return x

    def resample(self, layer: WanResample, x: Tensor) -> Tensor:
        batch = x.shape[0]
        if layer.mode == "upsample3d":
            if self.first:
                # The clip's first frame is not doubled, and the convolution behind begins after it.
                self.after.append(torch.zeros_like(self.layout.leave(x)).repeat(1, 1, CACHE_FRAMES, 1, 1))
            else:
                x = self.layout.spread_channels(self.causal(layer.time_conv, x))
        return self.layout.clip_of(upsampled(layer, self.layout.frames_of(x)), batch)


def cache_specs(vae: AutoencoderKLWan) -> list[CacheSpec]:
    """The caches of a decoder, in the order in which its convolutions run."""
    with torch.device("meta"):  # shapes alone: nothing is computed
        decoder = WanVaeDecoder(AutoencoderKLWan.from_config(vae.config))
        _, caches = decoder.step(torch.empty(1, vae.config.z_dim, 1, 1, 1), None, ChannelsFirst())
    return [CacheSpec(i, shape[1], shape[2], shape[3]) for i, shape in enumerate(cache.shape for cache in caches)]


class FirstStep(nn.Module):
    """Module vae_decoder_first: latents (B,C,1,h,w) -> frames (B,3,1,H,W) and caches."""

    def __init__(self, decoder: WanVaeDecoder, layout: ClipLayout) -> None:
        super().__init__()
        self.decoder = decoder
        self.layout = layout

    def forward(self, latents: Tensor) -> tuple[Tensor, ...]:
        """Decode the clip's first latent frame."""
        frames, caches = self.decoder.step(latents, None, self.layout)
        return frames, *caches


class NextStep(nn.Module):
    """Module vae_decoder_next: latents (B,C,k,h,w) and caches -> frames (B,3,rk,H,W) and caches."""

    def __init__(self, decoder: WanVaeDecoder, layout: ClipLayout) -> None:
        super().__init__()
        self.decoder = decoder
        self.layout = layout

    def forward(self, latents: Tensor, *caches: Tensor) -> tuple[Tensor, ...]:
        """Decode further latent frames."""
        frames, after = self.decoder.step(latents, caches, self.layout)
        return frames, *after
