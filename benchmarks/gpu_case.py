"""What benchmarks/gpu_depthwise.py measures: a convolution, its tensors, and how a model in PyTorch writes it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import torch
from torch.nn import functional as F

FORMATS = {"NCTHW": torch.contiguous_format, "NTHWC": torch.channels_last_3d}
TYPES = {"float16": torch.float16, "bfloat16": torch.bfloat16, "float32": torch.float32}
TOLERANCES = {"float16": 1e-2, "bfloat16": 5e-2, "float32": 1e-4}
"""Relative to the larger of 1 and the expected value. PyTorch rounds after every operator of a form, and sums of others
may be in the type of their input."""


class UnavailableError(Exception):
    """A contender cannot take part; the message says why."""


@dataclasses.dataclass(frozen=True)
class Case:
    """A convolution over (1,C,T,H,W) to the same size; its form is one of depthwise_graphs.FORMS."""

    form: str
    kernel: tuple[int, int, int]
    shape: tuple[int, int, int, int]
    type: str

    @property
    def is_causal(self) -> bool:
        """Else it is padded on all sides."""
        return self.form == "causal"

    @property
    def has_silu(self) -> bool:
        """Behind the depthwise convolution, which has a bias then."""
        return self.form != "plain"

    @property
    def is_separable(self) -> bool:
        """A 1x1x1 convolution with bias, to as many channels, follows."""
        return self.form == "separable"

    @property
    def padding(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Before and after each axis."""
        half = tuple(size // 2 for size in self.kernel)
        if not self.is_causal:
            return half, half
        return (self.kernel[0] - 1, *half[1:]), (0, *half[1:])


@dataclasses.dataclass(frozen=True)
class Tensors:
    """Of one layout, on one device; every contender of the layout has the same X and a Y of its own."""

    x: torch.Tensor
    weight: torch.Tensor
    bias: torch.Tensor | None
    pointwise: torch.Tensor | None
    pointwise_bias: torch.Tensor | None

    @staticmethod
    def random(case: Case, layout: str, device: str = "cuda") -> Tensors:
        """The same values in every layout; sums are about as large as X, so that one tolerance serves all filters."""
        generator = torch.Generator().manual_seed(0)
        channels = case.shape[0]

        def normal(*shape: int, terms: int = 1) -> torch.Tensor:
            return (torch.randn(shape, generator=generator) / math.sqrt(terms)).to(device, TYPES[case.type])

        x = normal(1, *case.shape).contiguous(memory_format=FORMATS[layout])
        weight = normal(channels, 1, *case.kernel, terms=math.prod(case.kernel))
        bias = normal(channels) if case.has_silu else None
        if not case.is_separable:
            return Tensors(x, weight, bias, None, None)
        return Tensors(x, weight, bias, normal(channels, channels, 1, 1, 1, terms=channels), normal(channels))

    def double(self) -> Tensors:
        """The same values in double precision."""
        return self._each(lambda value: value.double())

    def cpu(self) -> Tensors:
        """The same values in the host's memory."""
        return self._each(lambda value: value.cpu())

    def _each(self, change: Callable[[torch.Tensor], torch.Tensor]) -> Tensors:
        bias, pointwise, pointwise_bias = (
            None if value is None else change(value) for value in (self.bias, self.pointwise, self.pointwise_bias)
        )
        return Tensors(change(self.x), change(self.weight), bias, pointwise, pointwise_bias)


def convolve(case: Case, tensors: Tensors) -> torch.Tensor:
    """As a model in PyTorch writes it."""
    (frames, *before), _ = case.padding
    x = tensors.x
    if case.is_causal and frames > 0:
        x = F.pad(x, (0, 0, 0, 0, frames, 0))
        frames = 0
    y = F.conv3d(x, tensors.weight, tensors.bias, padding=[frames, *before], groups=case.shape[0])
    if case.has_silu:
        y = F.silu(y)
    return y if tensors.pointwise is None else F.conv3d(y, tensors.pointwise, tensors.pointwise_bias)


def relative_error(case: Case, y: torch.Tensor, tensors: Tensors) -> float:
    """The largest difference from the convolution in double precision, to be compared with TOLERANCES."""
    expected = convolve(case, tensors.double())
    return ((y.double() - expected).abs() / expected.abs().clamp(min=1)).max().item()
