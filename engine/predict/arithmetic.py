"""How many operations a node does. A multiplication with its addition is two, as devices' peaks are counted.

Counted are convolutions, matrix products and attention. Everything else (activations, normalisations, copies) does a
few operations for each number that it moves, and no device here has so little arithmetic for its memory: bytes decide.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from vidrt.engine.predict.graph import Node
from vidrt.engine.predict.tensors import Tensor

Inputs = Sequence[Tensor]

_FEWEST_CHANNELS = 8
"""Channels a group from which a convolution can be a product of matrices: what a matrix unit takes at a time."""


@dataclass(frozen=True)
class Operations:
    """The arithmetic of a node.

    Attributes:
        matrix: Operations that matrix units can do (tensor cores).
        vector: Operations that only vector units can do: depthwise convolutions.
    """

    matrix: int = 0
    vector: int = 0


def operations(node: Node, inputs: Inputs, output: Tensor) -> Operations | None:
    """What a node does; None for an operator that is not counted."""
    count = _COUNTED.get(node.op)
    return None if count is None else count(node, inputs, output)


def _conv(node: Node, inputs: Inputs, output: Tensor) -> Operations:
    """Each number of the output is a sum over a group's input channels and the filter's taps."""
    weight = inputs[1].shape  # (M, C/group, taps...)
    total = 2 * output.elements * math.prod(weight[1:])
    return Operations(matrix=total) if weight[1] >= _FEWEST_CHANNELS else _grouped(node, total)


def _conv_transpose(node: Node, inputs: Inputs, output: Tensor) -> Operations:
    """Each number of the input goes to a group's output channels at every tap."""
    weight = inputs[1].shape  # (C, M/group, taps...)
    total = 2 * inputs[0].elements * math.prod(weight[1:])
    return Operations(matrix=total) if weight[1] >= _FEWEST_CHANNELS else _grouped(node, total)


def _grouped(node: Node, total: int) -> Operations:
    # Few channels without groups (the first layer of an encoder) are padded to what a matrix unit takes.
    return Operations(vector=total) if node.attributes.get("group", 1) > 1 else Operations(matrix=total)


def _matmul(node: Node, inputs: Inputs, output: Tensor) -> Operations:
    return Operations(matrix=2 * output.elements * inputs[0].shape[-1])


def _gemm(node: Node, inputs: Inputs, output: Tensor) -> Operations:
    inner = inputs[0].shape[0 if node.attributes.get("transA", 0) else 1]
    return Operations(matrix=2 * output.elements * inner)


def _attention(node: Node, inputs: Inputs, output: Tensor) -> Operations:
    """Scores are products of all queries with all keys, results those of scores with all values: 2 L² D each."""
    query = inputs[0].shape
    if len(query) == 5:  # (B, L, heads, 3, head size)
        batch, length, heads, _, size = query
        return Operations(matrix=4 * batch * length * length * heads * size)
    lead, length, width = math.prod(query[:-2]), query[-2], query[-1]
    keys = inputs[1].shape[-2]
    return Operations(matrix=2 * lead * length * keys * width + 2 * output.elements * keys)


def _depthwise(node: Node, inputs: Inputs, output: Tensor) -> Operations:
    return Operations(vector=2 * output.elements * math.prod(inputs[1].shape[2:]))


def _separable(node: Node, inputs: Inputs, output: Tensor) -> Operations:
    channels, outputs = inputs[1].shape[0], inputs[3].shape[0]
    positions = output.elements // outputs
    return Operations(
        matrix=2 * positions * channels * outputs,
        vector=2 * positions * channels * math.prod(inputs[1].shape[2:]),
    )


_COUNTED: Mapping[str, Callable[[Node, Inputs, Tensor], Operations]] = {
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "MatMul": _matmul,
    "Gemm": _gemm,
    "Attention": _attention,
    "com.microsoft::MultiHeadAttention": _attention,
    "com.microsoft::MatMulNBits": _matmul,
    "vidrt::DepthwiseConv3d": _depthwise,
    "vidrt::DepthwiseSeparableConv3d": _separable,
}
