"""A depthwise 3D convolution of a graph in the words of vidrt's operator, or the reason why it has none."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import onnx_ir as ir

from vidrt.export.depthwise.graph_queries import attribute, is_operator
from vidrt.export.depthwise.padding import AxisPadding, PaddedClip, read_paddings
from vidrt.export.depthwise.unfit import Unfit

MAX_KERNEL = 7
"""Along any axis (csrc/kernels/depthwise_conv3d.h)."""

_AXES = ("time", "height", "width")
_FLOATS = (ir.DataType.FLOAT, ir.DataType.FLOAT16, ir.DataType.BFLOAT16)


@dataclasses.dataclass(frozen=True)
class Filter:
    """Taps, strides and dilations of a convolution, each over (T,H,W), and its own padding of zeros."""

    kernel: tuple[int, int, int]
    strides: tuple[int, int, int]
    dilations: tuple[int, int, int]
    pads: tuple[AxisPadding, AxisPadding, AxisPadding]


@dataclasses.dataclass(frozen=True)
class Attributes:
    """Those of the operator that say where it computes (DESIGN.md, "Depthwise 3D convolution")."""

    strides: tuple[int, int, int]
    dilations: tuple[int, int, int]
    temporal_padding: str
    temporal_pad_mode: str
    spatial_padding: str
    spatial_pad_mode: str


def is_candidate(node: ir.Node) -> bool:
    """Whether a node is a convolution of clips in groups, or of clips of one channel: what a report must speak of."""
    if not is_operator(node, "Conv") or _rank(node) != 5:
        return False
    if attribute(node, "group", 1) > 1:
        return True
    shape = node.inputs[1].shape if node.inputs[1] is not None else None
    # A 1x1x1 filter over one channel is a pointwise convolution.
    return shape is not None and shape.is_static() and shape.numpy()[:2] == (1, 1) and shape.numpy()[2:] != (1, 1, 1)


def read_filter(node: ir.Node) -> Filter:
    """The filter of a candidate.

    Raises:
        Unfit: It is no depthwise convolution with one constant filter a channel.
    """
    if node.outputs[0].dtype not in _FLOATS:
        raise Unfit(f"it computes in {node.outputs[0].dtype}; expected FLOAT, FLOAT16 or BFLOAT16")
    weight = node.inputs[1]
    if weight is None or weight.shape is None or not weight.shape.is_static() or not weight.is_initializer():
        raise Unfit("its weight is computed by the graph; expected a constant")
    if len(node.inputs) > 2 and node.inputs[2] is not None and not node.inputs[2].is_initializer():
        raise Unfit("its bias is computed by the graph; expected a constant")
    outputs, inputs_per_group, *taps = (int(dim) for dim in weight.shape.numpy())
    groups = attribute(node, "group", 1)
    if inputs_per_group != 1:
        raise Unfit(f"it has {inputs_per_group * groups} channels in {groups} groups; expected one channel a group")
    if outputs != groups:
        raise Unfit(f"it has {outputs // groups} filters for each channel; expected one")
    if max(taps) > MAX_KERNEL:
        raise Unfit(f"its kernel is {'x'.join(map(str, taps))}; expected at most {MAX_KERNEL} taps along an axis")
    return Filter(_three(taps), _three(attribute(node, "strides", (1, 1, 1))), _dilations(node), _own_pads(node))


def read_context(node: ir.Node, filter_: Filter) -> tuple[PaddedClip, Attributes]:
    """The clip without as much of its padding as the operator can do itself, and the attributes that say so.

    Raises:
        Unfit: The padding is none of the operator's.
    """
    clip = node.inputs[0]
    assert clip is not None  # a Conv has an input
    found: tuple[PaddedClip, Attributes] | None = None
    reason = Unfit("")
    for seen in read_paddings(PaddedClip(clip, *filter_.pads)):
        try:
            found = seen, _attributes(seen, filter_)
        except Unfit as error:
            reason = error
    if found is None:
        raise reason
    return found


def _rank(node: ir.Node) -> int | None:
    shapes = [value.shape for value in (*node.inputs[:2], node.outputs[0]) if value is not None]
    return next((len(shape) for shape in shapes if shape is not None), None)


def _three(numbers: Sequence[int]) -> tuple[int, int, int]:
    time, height, width = numbers
    return int(time), int(height), int(width)


def _dilations(node: ir.Node) -> tuple[int, int, int]:
    return _three(attribute(node, "dilations", (1, 1, 1)))


def _own_pads(node: ir.Node) -> tuple[AxisPadding, AxisPadding, AxisPadding]:
    automatic = attribute(node, "auto_pad", "NOTSET")
    if automatic != "NOTSET":
        raise Unfit(f"its padding is chosen at run time (auto_pad {automatic}); expected pads")
    pads = attribute(node, "pads", (0,) * 6)
    if min(pads) < 0:
        raise Unfit(f"its pads are {list(pads)}; expected none below zero")
    time, height, width = (
        AxisPadding(pads[axis], pads[axis + 3], "zeros") if pads[axis] or pads[axis + 3] else AxisPadding()
        for axis in range(3)
    )
    return time, height, width


def _attributes(seen: PaddedClip, filter_: Filter) -> Attributes:
    reach = _three([(taps - 1) * step for taps, step in zip(filter_.kernel, filter_.dilations, strict=True)])
    height, width = (
        _spatial_padding(axis, padding, filter_.kernel[axis], reach[axis])
        for axis, padding in ((1, seen.height), (2, seen.width))
    )
    spatial = {word for word in (height, width) if word != "either"} or {"same"}
    if len(spatial) > 1:
        raise Unfit(f"it pads height as '{height}' and width as '{width}'; expected both alike")
    modes = {padding.mode for padding in (seen.height, seen.width) if padding.mode is not None}
    if len(modes) > 1:
        raise Unfit("it pads height and width with different things; expected zeros or replicas for both")
    return Attributes(
        strides=filter_.strides,
        dilations=filter_.dilations,
        temporal_padding=_temporal_padding(seen.time, filter_.kernel[0], reach[0]),
        temporal_pad_mode="replicate" if seen.time.mode == "replicate" else "zeros",
        spatial_padding=spatial.pop(),
        spatial_pad_mode="replicate" if "replicate" in modes else "zeros",
    )


def _temporal_padding(padding: AxisPadding, taps: int, reach: int) -> str:
    sides = (padding.before, padding.after)
    if reach > 0 and sides == (reach, 0):
        return "causal"
    if padding.mode == "cache":
        raise Unfit(f"{padding.before} frames of a cache stand before the clip; expected {reach} for a causal filter")
    if taps % 2 == 1 and sides == (reach // 2, reach // 2):
        return "same"
    if sides == (0, 0):
        return "valid"
    raise Unfit(_unfit_sides(0, sides, taps, [(reach, 0), (0, 0)], reach))


def _spatial_padding(axis: int, padding: AxisPadding, taps: int, reach: int) -> str:
    sides = (padding.before, padding.after)
    if reach == 0 and sides == (0, 0):
        return "either"
    if taps % 2 == 1 and sides == (reach // 2, reach // 2):
        return "same"
    if sides == (0, 0):
        return "valid"
    raise Unfit(_unfit_sides(axis, sides, taps, [(0, 0)], reach))


def _unfit_sides(axis: int, sides: tuple[int, int], taps: int, fitting: list[tuple[int, int]], reach: int) -> str:
    if taps % 2 == 1:
        fitting = [(reach // 2, reach // 2), *fitting]
    expected = " or ".join(str(pair) for pair in dict.fromkeys(fitting))
    return f"its padding along {_AXES[axis]} is {sides} for {taps} taps; expected {expected}"
