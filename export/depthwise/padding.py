"""What stands around a clip before it is convolved, read off the Pad and Concat nodes in front of a convolution.

Padding one axis commutes with padding another, so nodes may come in any order; along one axis a second padding only
adds to the first where both are of a kind.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Literal

import onnx_ir as ir

from vidrt.export.depthwise.graph_queries import (
    TIME_AXIS,
    attribute,
    integers,
    is_frame_slice,
    is_operator,
    small_constant,
    static_size,
)

PadMode = Literal["zeros", "replicate"]
_PAD_MODES: dict[str, PadMode] = {"constant": "zeros", "edge": "replicate"}
_RANK = 5


@dataclasses.dataclass(frozen=True)
class AxisPadding:
    """Positions before and after the clip along one axis, and what stands there (None where there are none)."""

    before: int = 0
    after: int = 0
    mode: PadMode | Literal["cache"] | None = None

    def around(self, inner: AxisPadding) -> AxisPadding | None:
        """This padding put around another; None where that is no padding of one kind."""
        if inner.mode is None or self.mode is None:
            return inner if self.mode is None else self
        if inner.mode != self.mode or self.mode == "cache":
            return None
        return AxisPadding(self.before + inner.before, self.after + inner.after, self.mode)


@dataclasses.dataclass(frozen=True)
class PaddedClip:
    """A clip and what stands around it.

    Args:
        clip: (N,C,T,H,W).
        time: Padding in time.
        height: Padding in height.
        width: Padding in width.
        cache: The frames before the clip, where time.mode is "cache".
    """

    clip: ir.Value
    time: AxisPadding = AxisPadding()
    height: AxisPadding = AxisPadding()
    width: AxisPadding = AxisPadding()
    cache: ir.Value | None = None


def read_paddings(own: PaddedClip) -> Iterator[PaddedClip]:
    """All ways to see a convolution's input, from as it stands to the clip without any padding.

    Args:
        own: The convolution's input with the convolution's own padding.
    """
    seen: PaddedClip | None = own
    while seen is not None:
        yield seen
        inner = read_padding(seen.clip)
        seen = None if inner is None else _nest(seen, inner)


def read_padding(value: ir.Value) -> PaddedClip | None:
    """The clip inside a value that a Pad or a Concat in time gives; None where it is neither."""
    node = value.producer()
    if is_operator(node, "Pad"):
        assert node is not None
        return _read_pad(node)
    if is_operator(node, "Concat"):
        assert node is not None
        return _read_concat(node)
    return None


def _nest(outer: PaddedClip, inner: PaddedClip) -> PaddedClip | None:
    if outer.cache is not None:
        return None  # frames of a cache have the outer clip's size
    time, height, width = (getattr(outer, axis).around(getattr(inner, axis)) for axis in ("time", "height", "width"))
    if time is None or height is None or width is None:
        return None
    return PaddedClip(inner.clip, time, height, width, inner.cache)


def _read_pad(node: ir.Node) -> PaddedClip | None:
    inputs = [*node.inputs, None, None][:4]
    clip, amounts, axes = inputs[0], integers(inputs[1]), list(range(_RANK))
    if inputs[3] is not None:
        axes = [axis % _RANK for axis in integers(inputs[3]) or []]
    mode = _PAD_MODES.get(attribute(node, "mode", "constant"))
    if clip is None or amounts is None or mode is None or len(amounts) != 2 * len(axes) or min(amounts) < 0:
        return None
    fill = small_constant(inputs[2])
    if mode == "zeros" and inputs[2] is not None and (fill is None or fill.any()):
        return None
    sides = {axis: (amounts[i], amounts[len(axes) + i]) for i, axis in enumerate(axes)}
    if any(sides.pop(axis, (0, 0)) != (0, 0) for axis in (0, 1)):
        return None
    time, height, width = (
        AxisPadding(*sides[axis], mode) if any(sides.get(axis, ())) else AxisPadding() for axis in range(2, _RANK)
    )
    return PaddedClip(clip, time, height, width)


def _read_concat(node: ir.Node) -> PaddedClip | None:
    if attribute(node, "axis", 0) not in (TIME_AXIS, TIME_AXIS - _RANK) or len(node.inputs) < 2:
        return None
    parts = [value for value in node.inputs if value is not None]
    for place in reversed(range(len(parts))):
        clip, front, back = parts[place], parts[:place], parts[place + 1 :]
        time = _made_up_frames(clip, front, back)
        if time is not None:
            return PaddedClip(clip, time)
        frames = static_size(front[0], TIME_AXIS) if len(front) == 1 else None
        if frames is not None and not back:
            return PaddedClip(clip, AxisPadding(frames, 0, "cache"), cache=front[0])
    return None


def _made_up_frames(clip: ir.Value, front: Sequence[ir.Value], back: Sequence[ir.Value]) -> AxisPadding | None:
    """The padding that frames before and after a clip are, where they are zeros or copies of its own."""
    modes = {_mode_of(part, clip, first=True) for part in front} | {_mode_of(part, clip, first=False) for part in back}
    counts = [[static_size(part, TIME_AXIS) for part in parts] for parts in (front, back)]
    if len(modes) != 1 or None in modes or any(count is None for side in counts for count in side):
        return None
    before, after = (sum(count for count in side if count is not None) for side in counts)
    return AxisPadding(before, after, modes.pop())


def _mode_of(part: ir.Value, clip: ir.Value, *, first: bool) -> PadMode | None:
    """What the frames `part` are: zeros, or copies of the clip's first or last frame."""
    value = part
    while True:
        constant = small_constant(value)
        if constant is not None:
            return None if constant.any() else "zeros"
        node = value.producer()
        if node is None or node.domain != "" or node.op_type not in ("Expand", "Tile", "ConstantOfShape", "Slice"):
            return None
        if node.op_type == "ConstantOfShape":
            fill = node.attributes.get("value")
            return "zeros" if fill is None or not fill.as_tensor().numpy().any() else None
        source = node.inputs[0]
        assert source is not None
        if node.op_type == "Slice":
            return "replicate" if source is clip and is_frame_slice(node, first=first) else None
        value = source
