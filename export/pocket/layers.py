"""Building blocks shared by the denoiser and the VAE. All tensors are (B,C,T,H,W); nothing needs a transpose."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .convolutions import depthwise_conv3d, pointwise_conv3d

KERNEL = 3
CACHE_FRAMES = KERNEL - 1
"""Frames of the past that a causal depthwise convolution reads."""


class ChannelRmsNorm(nn.Module):
    """Root-mean-square norm over the channels of each position (Zhang and Sennrich, 2019): no statistics over time."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise; shape unchanged."""
        scale = torch.rsqrt(x.square().mean(dim=1, keepdim=True) + 1e-6)
        return x * scale * self.weight.view(1, -1, 1, 1, 1)


class DepthwiseConv(nn.Module):
    """Depthwise 3x3x3, `same` or `causal` in time, initialised near the identity."""

    def __init__(self, channels: int, causal: bool) -> None:
        super().__init__()
        self.causal = causal
        weight = 0.05 * torch.randn(channels, 1, KERNEL, KERNEL, KERNEL)
        weight[:, 0, 2 if causal else 1, 1, 1] += 1.0
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Convolve a whole clip."""
        return depthwise_conv3d(x, self.weight, self.bias, 2 if self.causal else 1)

    def step(self, x: Tensor, cache: Tensor | None) -> tuple[Tensor, Tensor]:
        """Convolve the next frames of a clip.

        Args:
            x: (B,C,k,H,W), k >= 1.
            cache: (B,C,2,H,W), the two frames before x; None at the start of the clip stands for zeros.

        Returns:
            The result (B,C,k,H,W) and the cache of the next call.
        """
        if cache is None:
            padded = F.pad(x, (0, 0, 0, 0, CACHE_FRAMES, 0))
        else:
            padded = torch.cat([cache, x], dim=2)
        y = F.conv3d(padded, self.weight, self.bias, padding=(0, 1, 1), groups=x.shape[1])
        return y, padded[:, :, -CACHE_FRAMES:]


class Pointwise(nn.Module):
    """A 1x1x1 convolution."""

    def __init__(self, inputs: int, outputs: int, std: float | None = None) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 1, 1, 1) * (inputs**-0.5 if std is None else std))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """(B,inputs,T,H,W) -> (B,outputs,T,H,W)."""
        return pointwise_conv3d(x, self.weight, self.bias)


class Film(nn.Module):
    """Scale and shift of every channel by a condition, per latent frame (Perez et al., 2018)."""

    def __init__(self, condition: int, channels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(condition, 2 * channels)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """x: (B,C,T,H,W); condition: (B,T,D)."""
        scale, shift = self.linear(condition).transpose(1, 2).unsqueeze(-1).unsqueeze(-1).chunk(2, dim=1)
        return x * (1.0 + scale) + shift


class SeparableBlock(nn.Module):
    """x + pw2(SiLU(pw1(dw(film(norm(x)))))): depthwise feeds pointwise directly, so the two can run as one operator.

    With `norm_first` off, x + pw2(SiLU(pw1(film(norm(dw(x)))))): the same weights in another order (block_order.py).
    """

    def __init__(
        self, channels: int, causal: bool, condition: int | None = None, expansion: int = 2, norm_first: bool = True
    ) -> None:
        super().__init__()
        self.norm_first = norm_first
        self.norm = ChannelRmsNorm(channels)
        self.film = None if condition is None else Film(condition, channels)
        self.depthwise = DepthwiseConv(channels, causal)
        self.expand = Pointwise(channels, expansion * channels)
        self.project = Pointwise(expansion * channels, channels, std=1e-2)

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """Process a whole clip; condition (B,T,D) where the block was made with one."""
        if self.norm_first:
            y = self.depthwise(self._normed(x, condition))
        else:
            y = self._normed(self.depthwise(x), condition)
        return x + self.project(F.silu(self.expand(y)))

    def step(self, x: Tensor, cache: Tensor | None) -> tuple[Tensor, Tensor]:
        """Process the next frames of a clip, without a condition; see DepthwiseConv.step."""
        if self.norm_first:
            y, cache = self.depthwise.step(self._normed(x, None), cache)
        else:
            y, cache = self.depthwise.step(x, cache)
            y = self._normed(y, None)
        return x + self.project(F.silu(self.expand(y))), cache

    def _normed(self, x: Tensor, condition: Tensor | None) -> Tensor:
        y = self.norm(x)
        return y if self.film is None or condition is None else self.film(y, condition)


def space_to_depth(x: Tensor, time: int, space: int) -> Tensor:
    """(B,C,T,H,W) -> (B,C*time*space*space,T/time,H/space,W/space)."""
    b, c, t, h, w = x.shape
    x = x.reshape(b, c, t // time, time, h // space, space, w // space, space)
    x = x.permute(0, 1, 3, 5, 7, 2, 4, 6)
    return x.reshape(b, c * time * space * space, t // time, h // space, w // space)


def depth_to_space(x: Tensor, time: int, space: int) -> Tensor:
    """(B,C*time*space*space,T,H,W) -> (B,C,T*time,H*space,W*space); the inverse of space_to_depth."""
    b, channels, t, h, w = x.shape
    c = channels // (time * space * space)
    x = x.reshape(b, c, time, space, space, t, h, w)
    x = x.permute(0, 1, 5, 2, 6, 3, 7, 4)
    return x.reshape(b, c, t * time, h * space, w * space)
