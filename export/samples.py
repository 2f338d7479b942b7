"""Sample inputs for tracing and for comparing graphs with PyTorch."""

from __future__ import annotations

import torch
from torch import Tensor

from vidrt.export.spec import Sampler


def normal(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Standard normal values, as latents have them."""
    return torch.randn(shape, generator=generator)


def mask(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Rows (B,L) of ones, then zeros: every row keeps at least its first token, as a tokenizer's end marker is one."""
    batch, length = shape
    kept = torch.randint(1, length + 1, (batch, 1), generator=generator)
    return (torch.arange(length) < kept).to(torch.int64)


def counts(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """How many rows each row of (B,L) stands for: the first for one at least, the others for none to four."""
    drawn = torch.randint(0, 5, shape, generator=generator)
    drawn[:, 0] += 1
    return drawn.to(torch.float32)


def token_ids(vocabulary: int) -> Sampler:
    """Ids from 0 to below `vocabulary`."""

    def sample(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        return torch.randint(0, vocabulary, shape, generator=generator)

    return sample


def uniform(low: float, high: float) -> Sampler:
    """Values in [low, high)."""

    def sample(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        return low + (high - low) * torch.rand(shape, generator=generator)

    return sample
