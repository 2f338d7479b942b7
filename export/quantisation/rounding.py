"""Weights to eight bits, symmetric: w = scale * q with q from -127 to 127, the nearest."""

from __future__ import annotations

import torch
from torch import Tensor

_LARGEST = 127


def round_blocks(weight: Tensor, block: int) -> tuple[Tensor, Tensor]:
    """With a scale for each block of inputs of each output, as com.microsoft's MatMulNBits takes it.

    Args:
        weight: (out, in), finite.
        block: Inputs that share a scale; the last block of a row is filled up with zeros.

    Returns:
        (out, blocks, block) uint8, which is q + 128, and the scales, (out, blocks) float32.
    """
    outputs, inputs = weight.shape
    rows = torch.nn.functional.pad(weight.detach().float(), (0, -inputs % block))
    q, scale = _rounded(rows.reshape(outputs, -1, block))
    return (q.to(torch.int16) + 128).to(torch.uint8), scale.squeeze(-1)


def round_rows(weight: Tensor) -> tuple[Tensor, Tensor]:
    """With a scale for each output.

    Args:
        weight: (out, in), finite.

    Returns:
        (out, in) int8, and the scales, (out) float32.
    """
    q, scale = _rounded(weight.detach().float())
    return q, scale.squeeze(-1)


def _rounded(values: Tensor) -> tuple[Tensor, Tensor]:
    """int8, and the scales over the last axis, which is kept."""
    scale = values.abs().amax(dim=-1, keepdim=True) / _LARGEST
    scale = torch.where(scale > 0, scale, torch.ones_like(scale))  # zeros stay zeros
    return (values / scale).round().clamp(-_LARGEST, _LARGEST).to(torch.int8), scale
