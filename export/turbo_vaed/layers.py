"""Layers of the decoder. All tensors are (B,C,T,H,W), and nothing but the pixel shuffles needs a transpose."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class FrameCaches:
    """The past of each causal convolution while a clip is decoded step by step, in the order in which they run.

    Args:
        before: What the step before kept; None at the start of a clip.
    """

    def __init__(self, before: Sequence[Tensor] | None) -> None:
        self.at_start = before is None
        self.kept: list[Tensor] = []
        self._before: Iterator[Tensor] = iter(before or ())

    def extend(self, x: Tensor, frames: int) -> Tensor:
        """Put `frames` frames of the past before x, and keep as many from the end of the result.

        The past of a clip's start is its first frame repeated.
        """
        past = None if self.at_start else next(self._before)
        extended = _repeat_ends(x, frames, 0) if past is None else torch.cat([past, x], dim=2)
        self.kept.append(extended[:, :, -frames:])
        return extended


def _repeat_ends(x: Tensor, before: int, after: int) -> Tensor:
    """Repeat the first frame `before` times before it and the last frame `after` times behind it."""
    return F.pad(x, (0, 0, 0, 0, before, after), mode="replicate")


class _TimePadded(nn.Module):
    """What convolutions over time share: repeated frames in time, zeros in space, or the caches of a step."""

    def __init__(self, kernel: int, causal: bool) -> None:
        super().__init__()
        self.kernel = kernel
        self.causal = causal

    def pad(self, x: Tensor, caches: FrameCaches | None) -> Tensor:
        """Extend x in time by kernel - 1 frames."""
        if self.kernel == 1:
            return x
        if caches is not None:
            return caches.extend(x, self.kernel - 1)
        after = 0 if self.causal else self.kernel // 2
        return _repeat_ends(x, self.kernel - 1 - after, after)


class DenseConv(_TimePadded):
    """A convolution over all channels."""

    def __init__(self, inputs: int, outputs: int, kernel: int, causal: bool) -> None:
        super().__init__(kernel, causal)
        self.conv = nn.Conv3d(inputs, outputs, kernel, padding=(0, kernel // 2, kernel // 2))

    def forward(self, x: Tensor, caches: FrameCaches | None = None) -> Tensor:
        """(B,inputs,T,H,W) -> (B,outputs,T,H,W)."""
        return self.conv(self.pad(x, caches))


class SeparableConv(_TimePadded):
    """Depthwise, then pointwise, with nothing between them: the two can run as one operator."""

    def __init__(self, inputs: int, outputs: int, kernel: int, causal: bool) -> None:
        super().__init__(kernel, causal)
        self.depthwise_conv = nn.Conv3d(inputs, inputs, kernel, padding=(0, kernel // 2, kernel // 2), groups=inputs)
        self.pointwise_conv = nn.Conv3d(inputs, outputs, 1)

    def forward(self, x: Tensor, caches: FrameCaches | None = None) -> Tensor:
        """(B,inputs,T,H,W) -> (B,outputs,T,H,W)."""
        return self.pointwise_conv(self.depthwise_conv(self.pad(x, caches)))


def rms_norm(x: Tensor) -> Tensor:
    """Root-mean-square norm over the channels of each position, without weights (Zhang and Sennrich, 2019)."""
    return x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + 1e-8)


class ChannelLayerNorm(nn.Module):
    """Layer norm over the channels of each position (Ba et al., 2016)."""

    def __init__(self, channels: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise; shape unchanged."""
        centred = x - x.mean(dim=1, keepdim=True)
        scaled = centred * torch.rsqrt(centred.square().mean(dim=1, keepdim=True) + self.eps)
        return scaled * self.weight.view(1, -1, 1, 1, 1) + self.bias.view(1, -1, 1, 1, 1)


class FrameUpsampler(nn.Module):
    """A 3x3 convolution of every frame and a pixel shuffle by 2."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3)  # padded below, where it runs in three dimensions

    def forward(self, x: Tensor) -> Tensor:
        """(B,C,T,H,W) -> (B,C/4,T,2H,2W)."""
        outputs, inputs, rows, columns = self.conv.weight.shape
        weight = self.conv.weight.reshape(outputs, inputs, 1, rows, columns)
        return shuffle_up(F.conv3d(x, weight, self.conv.bias, padding=(0, 1, 1)), time=1)


def shuffle_up(x: Tensor, time: int) -> Tensor:
    """Channels to pixels and frames: (B,C*4*time,T,H,W) -> (B,C,T*time,2H,2W).

    The paper's decoupled 3D pixel shuffle, first in time and then in space: of what a channel's index says of the
    position, the row is the outermost part and the frame the innermost. It is done in two transposes, the columns and
    then the rest in whole rows: ONNX Runtime moves one for all number by number, which took more than twice as long.
    """
    b, channels, t, h, w = x.shape
    c = channels // (4 * time)
    x = x.reshape(b, 2 * c, 2, time * t * h * w).transpose(2, 3)
    x = x.reshape(b, c, 2, time, t, h, 2 * w).permute(0, 1, 4, 3, 5, 2, 6)
    return x.reshape(b, c, t * time, 2 * h, 2 * w)
