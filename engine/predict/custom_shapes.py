"""Shapes that ONNX itself does not infer: of vidrt's operators, of those of ONNX Runtime that exports contain."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from vidrt.engine.predict.tensors import Tensor

Attributes = Mapping[str, Any]
Inputs = Sequence[Tensor]


def _taps(weight: Tensor) -> tuple[int, ...]:
    return weight.shape[2:]


def _convolved(attributes: Attributes, x: Tensor, weight: Tensor, channels: int) -> Tensor:
    """Y of the convolutions (docs/operators.md): padded axes keep (n - 1) // stride + 1 positions."""
    strides, dilations = (attributes.get(name, (1, 1, 1)) for name in ("strides", "dilations"))
    padded = [attributes.get("temporal_padding", "same") != "valid"]
    padded += [attributes.get("spatial_padding", "same") != "valid"] * 2
    last = attributes.get("data_layout", "NCTHW") == "NTHWC"
    sizes = [
        (size - 1 - (0 if pads else dilation * (taps - 1))) // stride + 1
        for size, taps, stride, dilation, pads in zip(
            x.shape[1:4] if last else x.shape[2:], _taps(weight), strides, dilations, padded, strict=True
        )
    ]
    batch = x.shape[0]
    return Tensor((batch, *sizes, channels) if last else (batch, channels, *sizes), x.dtype)


def _cache(attributes: Attributes, x: Tensor, weight: Tensor) -> Tensor:
    """cache_out: X with as many frames as the convolution looks back."""
    frames = (_taps(weight)[0] - 1) * attributes.get("dilations", (1, 1, 1))[0]
    axis = 1 if attributes.get("data_layout", "NCTHW") == "NTHWC" else 2
    return Tensor((*x.shape[:axis], frames, *x.shape[axis + 1 :]), x.dtype)


def _depthwise(attributes: Attributes, inputs: Inputs) -> list[Tensor]:
    x, weight = inputs[:2]
    return [_convolved(attributes, x, weight, weight.shape[0]), _cache(attributes, x, weight)]


def _separable(attributes: Attributes, inputs: Inputs) -> list[Tensor]:
    x, weight, _, pointwise = inputs[:4]
    return [_convolved(attributes, x, weight, pointwise.shape[0]), _cache(attributes, x, weight)]


def _attention(attributes: Attributes, inputs: Inputs) -> list[Tensor]:
    """(B, Lq, Dv); the value is (B, Lk, Dv), or (B, heads, Lk, Dv / heads), or packed in the query."""
    query = inputs[0]
    if len(query.shape) == 5:  # (B, L, heads, 3, head size)
        batch, length, heads, _, size = query.shape
        return [Tensor((batch, length, heads * size), query.dtype)]
    value = inputs[2]
    width = value.shape[-1] * (value.shape[1] if len(value.shape) == 4 else 1)
    return [Tensor((*query.shape[:2], width), query.dtype)]


def _matmul_nbits(attributes: Attributes, inputs: Inputs) -> list[Tensor]:
    return [Tensor((*inputs[0].shape[:-1], attributes["N"]), inputs[0].dtype)]


def _like_the_first(attributes: Attributes, inputs: Inputs) -> list[Tensor]:
    return [Tensor(inputs[0].shape, inputs[0].dtype)]


CUSTOM_SHAPES: Mapping[str, Callable[[Attributes, Inputs], list[Tensor]]] = {
    "vidrt::DepthwiseConv3d": _depthwise,
    "vidrt::DepthwiseSeparableConv3d": _separable,
    "com.microsoft::MultiHeadAttention": _attention,
    "com.microsoft::MatMulNBits": _matmul_nbits,
    "com.microsoft::RotaryEmbedding": _like_the_first,
    "GroupNormalization": _like_the_first,
}
"""By operator: the tensors that it gives, in order, those included that a node leaves out."""
