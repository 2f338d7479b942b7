"""One of vidrt's operators as it is read off a graph, around a depthwise convolution."""

from __future__ import annotations

import dataclasses
import math

import onnx_ir as ir

from vidrt.export.depthwise.cache_output import find_cache_outputs
from vidrt.export.depthwise.convolution import Attributes, read_context, read_filter
from vidrt.export.depthwise.padding import PaddedClip
from vidrt.export.depthwise.tail import take_activation, take_bias, take_pointwise, take_residual

DOMAIN = "vidrt"
VERSION = 1
DEPTHWISE = "DepthwiseConv3d"
SEPARABLE = "DepthwiseSeparableConv3d"
MOST_SEPARABLE_TAPS = 27
"""Of a filter that becomes one operator with the 1x1x1 convolution after it. With 5x5x5 the two apart are faster
(benchmarks/DEPTHWISE.md)."""


@dataclasses.dataclass(frozen=True)
class Convolution:
    """A convolution, its bias and its activation: weight (O,C/groups,kT,kH,kW), bias (O) but for its metadata."""

    weight: ir.Value
    bias: ir.Value | None
    activation: str
    result: ir.Value


@dataclasses.dataclass(frozen=True)
class Match:
    """What an operator computes, in the values of the graph.

    Args:
        seen: The clip and what stands around it.
        attributes: How it is padded, strided and dilated.
        cache_outputs: Slices that are the cache for the next call; equal to each other.
        depthwise: The depthwise convolution.
        pointwise: The 1x1x1 convolution after it, where the operator does that as well.
        residual: What is added last, of the result's shape.
        result: What the operator gives.
    """

    seen: PaddedClip
    attributes: Attributes
    cache_outputs: tuple[ir.Node, ...]
    depthwise: Convolution
    pointwise: Convolution | None
    residual: ir.Value | None
    result: ir.Value

    @property
    def operator(self) -> str:
        """The operator's name in the domain."""
        return DEPTHWISE if self.pointwise is None else SEPARABLE

    def absorbed(self) -> tuple[str, ...]:
        """What the operator does besides the convolution, in the order in which it does it."""
        parts = ["padding" if any(axis.mode for axis in (self.seen.time, self.seen.height, self.seen.width)) else ""]
        parts += ["cache_in" if self.seen.cache is not None else "", "cache_out" if self.cache_outputs else ""]
        for convolution, name in ((self.depthwise, ""), (self.pointwise, "pointwise")):
            if convolution is not None:
                parts += [name, "bias" if convolution.bias is not None else ""]
                parts += ["" if convolution.activation == "none" else convolution.activation]
        parts += ["residual" if self.residual is not None else ""]
        return tuple(part for part in parts if part)


def find_match(node: ir.Node, *, separable: bool) -> Match:
    """Read the operator around a convolution in groups.

    Args:
        node: The Conv.
        separable: Whether to look for the 1x1x1 convolution after it, where its filter is small.

    Raises:
        Unfit: The convolution is not depthwise, or padded as no operator pads.
    """
    own = read_filter(node)
    seen, attributes = read_context(node, own)
    depthwise = _convolution(node)
    joins = separable and math.prod(own.kernel) <= MOST_SEPARABLE_TAPS
    following = take_pointwise(depthwise.result) if joins else None
    pointwise = None if following is None else _convolution(following)
    result = depthwise.result if pointwise is None else pointwise.result
    cache_outputs = find_cache_outputs(seen) if attributes.temporal_padding == "causal" else []
    residual = take_residual(result, set(cache_outputs))
    return Match(
        seen=seen,
        attributes=attributes,
        cache_outputs=tuple(cache_outputs),
        depthwise=depthwise,
        pointwise=pointwise,
        residual=None if residual is None else residual[0],
        result=result if residual is None else residual[1],
    )


def _convolution(node: ir.Node) -> Convolution:
    """A Conv with a constant weight, and the bias and the activation after it."""
    weight = node.inputs[1]
    bias = node.inputs[2] if len(node.inputs) > 2 else None
    result = node.outputs[0]
    assert weight is not None  # a Conv has one
    assert weight.shape is not None  # constants have one
    if bias is None:
        bias, result = take_bias(result, int(weight.shape.numpy()[0])) or (None, result)
    activation, result = take_activation(result)
    return Convolution(weight, bias, activation, result)
