"""What passes ask of a graph's values and nodes."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

TIME_AXIS = 2
"""Of (N,C,T,H,W)."""

_LONGEST_CONSTANT = 64


def small_constant(value: ir.Value | None) -> npt.NDArray[Any] | None:
    """The numbers of a constant that a graph uses as an argument; None for all else, weights of any size included."""
    if value is None or value.const_value is None or value.const_value.size > _LONGEST_CONSTANT:
        return None
    return np.asarray(value.const_value.numpy())


def integers(value: ir.Value | None) -> list[int] | None:
    """The numbers of an integer constant, in order; None where it is none."""
    array = small_constant(value)
    if array is None or array.dtype.kind not in "iu":
        return None
    return [int(number) for number in array.flatten()]


def attribute(node: ir.Node, name: str, default: Any) -> Any:
    """An attribute's value, as Python has it, or the default where the node has none."""
    found = node.attributes.get(name)
    return default if found is None else found.value


def is_operator(node: ir.Node | None, op_type: str) -> bool:
    """Whether a node is that operator of ONNX's own domain."""
    return node is not None and node.domain == "" and node.op_type == op_type


def only_user(value: ir.Value) -> tuple[ir.Node, int] | None:
    """The one node that reads a value, and as which input; None where there are others or the graph gives it out."""
    uses = list(value.uses())
    if value.is_graph_output() or len(uses) != 1:
        return None
    return uses[0].node, uses[0].idx


def static_size(value: ir.Value | None, axis: int) -> int | None:
    """A dimension's number; None where it is a symbol or not known."""
    if value is None or value.shape is None or len(value.shape) <= axis:
        return None
    size = value.shape[axis]
    return size if isinstance(size, int) else None


def same_shape(one: ir.Value, other: ir.Value) -> bool:
    """Whether two shapes are known to be equal: the same numbers and the same symbols."""
    if one.shape is None or other.shape is None or len(one.shape) != len(other.shape):
        return False
    return all(
        isinstance(a, int) == isinstance(b, int)
        and (a if isinstance(a, int) else a.value) == (b if isinstance(b, int) else b.value)
        and (isinstance(a, int) or a.value is not None)
        for a, b in zip(one.shape, other.shape, strict=True)
    )


def depends_on(value: ir.Value, nodes: set[ir.Node]) -> bool:
    """Whether a value is computed from what any of the nodes gives."""
    seen = set()
    waiting = [value.producer()]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        if node in nodes:
            return True
        seen.add(node)
        waiting.extend(parent.producer() for parent in node.inputs if parent is not None)
    return False


def time_slice(node: ir.Node | None) -> tuple[int, int] | None:
    """Start and end of a Slice along time alone, in steps of 1.

    Negative numbers count from the end, as in Python; an end past the clip is the clip's length where that is known,
    else a very large number.
    """
    if not is_operator(node, "Slice"):
        return None
    assert node is not None
    inputs = [*node.inputs, None, None][:5]
    starts, ends, axes, steps = (integers(value) for value in inputs[1:5])
    if starts is None or ends is None or len(starts) != 1 or axes != [TIME_AXIS] or steps not in (None, [1]):
        return None
    length = static_size(node.inputs[0], TIME_AXIS)
    end = ends[0]
    if length is not None and end > length:
        end = length
    return starts[0], end


def is_frame_slice(node: ir.Node | None, *, first: bool) -> bool:
    """Whether a node takes a clip's first frame, or its last."""
    bounds = time_slice(node)
    if bounds is None:
        return False
    assert node is not None
    length = static_size(node.inputs[0], TIME_AXIS)
    return bounds == (0, 1) if first else takes_last_frames(bounds, 1, length)


def takes_last_frames(bounds: tuple[int, int], count: int, length: int | None) -> bool:
    """Whether a slice from bounds[0] to bounds[1] of `length` frames (None: unknown) is the last `count` of them."""
    start, end = bounds
    if length is not None:
        return start % length == length - count and end == length
    # Without the length, only what is far past any clip is its end.
    return start == -count and end >= 2**31 - 1


@contextlib.contextmanager
def hidden_weights(graph: ir.Graph, weights: Collection[str]) -> Iterator[None]:
    """Weights without their numbers, so that no pass depends on them."""
    tensors = {name: value.const_value for name, value in graph.initializers.items() if name in weights}
    for name in tensors:
        graph.initializers[name].const_value = None
    try:
        yield
    finally:
        for name, value in graph.initializers.items():
            if name in tensors:
                value.const_value = tensors[name]
