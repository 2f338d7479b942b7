"""The VAE's primitives over clips, in two layouts: channels first for 3D convolutions, frames first for 2D ones."""

from __future__ import annotations

from typing import Protocol

import torch
from diffusers.models.autoencoders.autoencoder_kl_wan import (
    DupUp3D,
    WanAttentionBlock,
    WanCausalConv3d,
    WanResample,
    WanRMS_norm,
)
from torch import Tensor, nn
from torch.nn import functional as F

from vidrt.export.upsampling import doubled

CACHE_FRAMES = 2
"""A causal convolution's kernel spans three frames."""


class ClipLayout(Protocol):
    """How a clip lies in memory between the layers, and the layers over it."""

    def enter(self, clip: Tensor) -> Tensor:
        """A clip (B,C,T,h,w) in this layout."""

    def leave(self, clip: Tensor) -> Tensor:
        """A clip of this layout as (B,C,T,h,w)."""

    def frames_of(self, clip: Tensor) -> Tensor:
        """All frames (B*T,C,h,w)."""

    def clip_of(self, frames: Tensor, batch: int) -> Tensor:
        """A clip of frames (B*T,C,h,w)."""

    def pointwise(self, layer: nn.Module, clip: Tensor) -> Tensor:
        """A 1x1x1 convolution, or an identity."""

    def causal(self, layer: WanCausalConv3d, clip: Tensor, cache: Tensor | None) -> tuple[Tensor, Tensor]:
        """A convolution over three frames and the cache of the next call; None stands for frames of zeros."""

    def norm(self, layer: WanRMS_norm, clip: Tensor) -> Tensor:
        """Normalise every position over its channels."""

    def spread_channels(self, clip: Tensor) -> Tensor:
        """2C channels become C channels of twice the frames."""

    def spread_shortcut(self, layer: DupUp3D, clip: Tensor, first: bool) -> Tensor:
        """The shortcut past an upsampling block. Of the clip's first latent frame only the last frame is kept."""


class ChannelsFirst:
    """(B,C,T,h,w), with 3D convolutions: what diffusers computes."""

    def enter(self, clip: Tensor) -> Tensor:
        """As ClipLayout says."""
        return clip

    def leave(self, clip: Tensor) -> Tensor:
        """As ClipLayout says."""
        return clip

    def frames_of(self, clip: Tensor) -> Tensor:
        """As ClipLayout says."""
        return clip.transpose(1, 2).flatten(0, 1)

    def clip_of(self, frames: Tensor, batch: int) -> Tensor:
        """As ClipLayout says."""
        return frames.unflatten(0, (batch, -1)).transpose(1, 2)

    def pointwise(self, layer: nn.Module, clip: Tensor) -> Tensor:
        """As ClipLayout says."""
        result: Tensor = layer(clip)
        return result

    def causal(self, layer: WanCausalConv3d, clip: Tensor, cache: Tensor | None) -> tuple[Tensor, Tensor]:
        """As ClipLayout says."""
        if cache is None:  # of the clip's first frame, which comes alone
            return layer(clip), F.pad(clip, (0, 0, 0, 0, CACHE_FRAMES - 1, 0))
        return layer(clip, cache), torch.cat((cache, clip), dim=2)[:, :, -CACHE_FRAMES:]

    def norm(self, layer: WanRMS_norm, clip: Tensor) -> Tensor:
        """As ClipLayout says."""
        result: Tensor = layer(clip)
        return result

    def spread_channels(self, clip: Tensor) -> Tensor:
        """As ClipLayout says."""
        return clip.unflatten(1, (2, -1)).permute(0, 2, 3, 1, 4, 5).flatten(2, 3)

    def spread_shortcut(self, layer: DupUp3D, clip: Tensor, first: bool) -> Tensor:
        """As ClipLayout says."""
        space = layer.factor_s
        # Channels are repeated, then dealt out over frames, rows and columns.
        x = _repeated(clip, 1, layer.repeats).unflatten(1, (layer.out_channels, layer.factor_t, space, space))
        x = x.permute(0, 1, 5, 2, 6, 3, 7, 4).flatten(6, 7).flatten(4, 5).flatten(2, 3)
        return x[:, :, layer.factor_t - 1 :] if first else x


class FramesFirst:
    """(B,T,C,h,w), with 2D convolutions over the channels of three frames: for a processor, for tracing only.

    ONNX Runtime's 3D convolution unrolls its input 27-fold and multiplies; its 2D convolutions are blocked for the
    processor's caches. A kernel (O,C,3,h,w) is the sum of three of (O,C,h,w), which ONNX Runtime adds in place. One
    over the channels of three frames, laid side by side, takes as long and several times the memory.
    """

    def enter(self, clip: Tensor) -> Tensor:
        """As ClipLayout says."""
        return clip.transpose(1, 2)

    def leave(self, clip: Tensor) -> Tensor:
        """As ClipLayout says."""
        return clip.transpose(1, 2)

    def frames_of(self, clip: Tensor) -> Tensor:
        """As ClipLayout says."""
        return clip.flatten(0, 1)

    def clip_of(self, frames: Tensor, batch: int) -> Tensor:
        """As ClipLayout says."""
        return frames.unflatten(0, (batch, -1))

    def pointwise(self, layer: nn.Module, clip: Tensor) -> Tensor:
        """As ClipLayout says."""
        if not isinstance(layer, nn.Conv3d):
            return clip
        return self.clip_of(F.conv2d(self.frames_of(clip), layer.weight.flatten(2, 3), layer.bias), clip.shape[0])

    def causal(self, layer: WanCausalConv3d, clip: Tensor, cache: Tensor | None) -> tuple[Tensor, Tensor]:
        """As ClipLayout says."""
        if cache is None:
            seen = F.pad(clip, (0, 0, 0, 0, 0, 0, CACHE_FRAMES, 0))
        else:
            seen = torch.cat((cache.transpose(1, 2), clip), dim=1)
        frames = clip.shape[1]
        made: Tensor | None = None
        for place, kernel in enumerate(layer.weight.unbind(2)):
            span = clip if place == CACHE_FRAMES else seen[:, place : place + frames]
            bias = None if made is not None else layer.bias
            part = F.conv2d(self.frames_of(span), kernel, bias, padding=layer._padding[0])
            made = part if made is None else made + part
        assert made is not None
        return self.clip_of(made, clip.shape[0]), seen[:, -CACHE_FRAMES:].transpose(1, 2)

    def norm(self, layer: WanRMS_norm, clip: Tensor) -> Tensor:
        """As ClipLayout says."""
        length = clip.norm(dim=2, keepdim=True).clamp_min(1e-12)  # as F.normalize, which writes it out for each channel
        return clip * (layer.scale / length) * layer.gamma.view(-1, 1, 1)

    def spread_channels(self, clip: Tensor) -> Tensor:
        """As ClipLayout says."""
        return clip.unflatten(2, (2, -1)).flatten(1, 2)

    def spread_shortcut(self, layer: DupUp3D, clip: Tensor, first: bool) -> Tensor:
        """As ClipLayout says."""
        space = layer.factor_s
        x = _repeated(clip, 2, layer.repeats).unflatten(2, (layer.out_channels, layer.factor_t, space, space))
        x = x.permute(0, 1, 3, 2, 6, 4, 7, 5).flatten(6, 7).flatten(4, 5).flatten(1, 2)
        return x[:, layer.factor_t - 1 :] if first else x


def upsampled(layer: WanResample, frames: Tensor) -> Tensor:
    """Frames (N,C,h,w) at twice the size, each pixel four times, and convolved."""
    result: Tensor = layer.resample[1](doubled(frames))
    return result


def attended(layer: WanAttentionBlock, frames: Tensor) -> Tensor:
    """Attention with one head over the positions of each frame (N,C,h,w), added to it."""
    size = frames.shape[2:]
    query, key, value = layer.to_qkv(layer.norm(frames)).flatten(2).transpose(1, 2).unsqueeze(1).chunk(3, dim=-1)
    mixed = F.scaled_dot_product_attention(query, key, value)
    return frames + layer.proj(mixed.squeeze(1).transpose(1, 2).unflatten(2, size))


def _repeated(x: Tensor, axis: int, times: int) -> Tensor:
    """Each slice of an axis so many times in a row (torch.repeat_interleave exports wrongly)."""
    if times == 1:
        return x
    spread = x.unsqueeze(axis + 1)
    shape = [-1] * spread.dim()
    shape[axis + 1] = times
    return spread.expand(shape).flatten(axis, axis + 1)
