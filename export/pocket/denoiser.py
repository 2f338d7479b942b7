"""The denoiser: a text-conditioned 3D U-Net of depthwise-separable blocks that predicts the flow's velocity."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import DenoiserConfig
from .layers import ChannelRmsNorm, Film, Pointwise, SeparableBlock, depth_to_space, space_to_depth
from .text_encoder import sinusoids

ROTARY_BASE = 100.0
"""Wavelengths up to about 600 positions: clips are tens of latent positions long in any direction."""


def rotary_angles(size: tuple[int, int, int], head_width: int) -> Tensor:
    """Angles of a rotary embedding over (T,H,W) (Su et al., 2021), a third of the pairs for each axis.

    Returns:
        (T*H*W, head_width / 2) float32.
    """
    pairs = head_width // 2
    counts = (pairs - 2 * (pairs // 3), pairs // 3, pairs // 3)
    axes = []
    for axis, (length, count) in enumerate(zip(size, counts, strict=True)):
        rates = ROTARY_BASE ** (-torch.arange(count, dtype=torch.float32) / count)
        angles = torch.arange(length, dtype=torch.float32).unsqueeze(-1) * rates
        shape = [1, 1, 1, count]
        shape[axis] = length
        axes.append(angles.reshape(shape).expand(size[0], size[1], size[2], count))
    return torch.cat(axes, dim=-1).reshape(size[0] * size[1] * size[2], pairs)


def rotate(x: Tensor, angles: Tensor) -> Tensor:
    """Rotate the pairs (i, i + d/2) of x (B,heads,N,d) by angles (N,d/2)."""
    a, b = x.chunk(2, dim=-1)
    cos, sin = angles.cos(), angles.sin()
    return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1)


class SelfAttention(nn.Module):
    """Every position of the clip looks at every other; positions enter as rotations, so any size will do."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = ChannelRmsNorm(channels)
        self.qkv = Pointwise(channels, 3 * channels)
        self.out = Pointwise(channels, channels, std=1e-2)

    def forward(self, x: Tensor) -> Tensor:
        """(B,C,T,H,W) -> the same."""
        b, c, t, h, w = x.shape
        tokens = self.qkv(self.norm(x)).reshape(b, 3, self.heads, c // self.heads, t * h * w)
        q, k, v = tokens.transpose(-1, -2).unbind(1)
        angles = rotary_angles((t, h, w), c // self.heads)
        scores = rotate(q, angles) @ rotate(k, angles).transpose(-1, -2) * (c // self.heads) ** -0.5
        mixed = scores.float().softmax(dim=-1).to(v.dtype) @ v
        return x + self.out(mixed.transpose(-1, -2).reshape(b, c, t, h, w))


class CrossAttention(nn.Module):
    """Every position of the clip looks at the prompt's tokens."""

    def __init__(self, channels: int, text_width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = ChannelRmsNorm(channels)
        self.q = Pointwise(channels, channels)
        self.kv = nn.Linear(text_width, 2 * channels)
        self.out = Pointwise(channels, channels, std=1e-2)

    def forward(self, x: Tensor, text_embeds: Tensor, mask_bias: Tensor) -> Tensor:
        """x: (B,C,T,H,W); text_embeds: (B,L,D); mask_bias: (B,1,1,L)."""
        b, c, t, h, w = x.shape
        head_width = c // self.heads
        q = self.q(self.norm(x)).reshape(b, self.heads, head_width, t * h * w).transpose(-1, -2)
        kv = self.kv(text_embeds).reshape(b, text_embeds.shape[1], 2, self.heads, head_width)
        k, v = kv.permute(2, 0, 3, 1, 4).unbind(0)
        scores = (q @ k.transpose(-1, -2)).float() * head_width**-0.5 + mask_bias
        mixed = scores.softmax(dim=-1).to(v.dtype) @ v
        return x + self.out(mixed.transpose(-1, -2).reshape(b, c, t, h, w))


def separable_block(config: DenoiserConfig, width: int) -> SeparableBlock:
    """A block of the denoiser: not causal, conditioned."""
    return SeparableBlock(width, causal=False, condition=config.condition_width, norm_first=config.norm_first)


class MiddleBlock(nn.Module):
    """A separable block, then attention to the prompt and to the clip itself."""

    def __init__(self, config: DenoiserConfig) -> None:
        super().__init__()
        width = config.middle_width
        self.block = separable_block(config, width)
        self.cross = CrossAttention(width, config.text_width, config.heads)
        self.attention = SelfAttention(width, config.heads)

    def forward(self, x: Tensor, condition: Tensor, text_embeds: Tensor, mask_bias: Tensor) -> Tensor:
        """Shape unchanged."""
        return self.attention(self.cross(self.block(x, condition), text_embeds, mask_bias))


class Denoiser(nn.Module):
    """Predicts noise - clean for x_t = (1 - sigma) clean + sigma noise (rectified flow, Liu et al., 2022)."""

    def __init__(self, config: DenoiserConfig) -> None:
        super().__init__()
        width, middle, condition = config.width, config.middle_width, config.condition_width
        self.condition_width = condition
        self.time_in = nn.Linear(condition, condition)
        self.time_out = nn.Linear(condition, condition)
        self.text_pool = nn.Linear(config.text_width, condition)
        self.stem = Pointwise(config.latent_channels, width)
        self.before = nn.ModuleList(separable_block(config, width) for _ in range(config.outer_blocks))
        self.down = Pointwise(4 * width, middle)
        self.middle = nn.ModuleList(MiddleBlock(config) for _ in range(config.middle_blocks))
        self.up = Pointwise(middle, 4 * width)
        self.merge = Pointwise(2 * width, width)
        self.after = nn.ModuleList(separable_block(config, width) for _ in range(config.outer_blocks))
        self.norm = ChannelRmsNorm(width)
        self.film = Film(condition, width)
        self.head = Pointwise(width, config.latent_channels, std=1e-3)

    def condition(self, timestep: Tensor, text_embeds: Tensor, text_mask: Tensor) -> Tensor:
        """What the blocks are told: each latent frame's timestep and the prompt's mean; (B,T,D)."""
        time = self.time_out(F.silu(self.time_in(sinusoids(timestep, self.condition_width))))
        pooled = text_embeds.sum(dim=1) / text_mask.to(text_embeds.dtype).sum(dim=1, keepdim=True).clamp(min=1.0)
        return F.silu(time + self.text_pool(pooled).unsqueeze(1))

    def forward(self, latents: Tensor, timestep: Tensor, text_embeds: Tensor, text_mask: Tensor) -> Tensor:
        """Predict the velocity.

        Args:
            latents: (B,C,T,h,w), h and w even.
            timestep: (B,T) float32, 1000 * sigma of each latent frame.
            text_embeds: (B,L,D), zero after the mask.
            text_mask: (B,L) int64, 1 for tokens.

        Returns:
            prediction (B,C,T,h,w).
        """
        condition = self.condition(timestep, text_embeds, text_mask)
        mask_bias = (text_mask.to(latents.dtype) - 1.0).unsqueeze(1).unsqueeze(1) * 1e4
        x = self.stem(latents)
        for block in self.before:
            x = block(x, condition)
        skip = x
        x = self.down(space_to_depth(x, time=1, space=2))
        for block in self.middle:
            x = block(x, condition, text_embeds, mask_bias)
        x = depth_to_space(self.up(x), time=1, space=2)
        x = self.merge(torch.cat([x, skip], dim=1))
        for block in self.after:
            x = block(x, condition)
        return self.head(self.film(self.norm(x), condition))
