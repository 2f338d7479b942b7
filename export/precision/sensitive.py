"""The nodes that stay in fp32 in a graph of low precision, and why.

- statistics: sums over an axis, what is squared for them, divisions by them or by their root (norms written out), and
  the scale and shift of constants behind a norm. ONNX's own norms are operators that stay in fp32 anyway.
- attention's weights: Softmax, and what scales and masks the scores before it.
- time: angles of sines and cosines with all that leads to them, and what depends on the timestep alone.
- a decoder's last layer, and what follows it: its frames are seen.
- arithmetic with a constant that the precision cannot hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from vidrt.export.depthwise.graph_queries import is_operator, small_constant
from vidrt.export.precision.operators import (
    constant_nodes,
    data_inputs,
    is_elementwise,
    is_exact_source,
    is_move,
    is_product,
    is_reduction,
    producers,
    takes_any_dtype,
    users,
)

TIMESTEP, FRAMES = "timestep", "frames"
"""Names that the bundle gives to tensors (docs/bundle.md)."""

_FLOAT16_MAX = float(np.finfo(np.float16).max)
_FLOAT16_TINY = float(np.finfo(np.float16).tiny)


def sensitive_nodes(graph: ir.Graph, precision: ir.DataType) -> set[ir.Node]:
    """The nodes that compute in fp32 because of what they compute.

    Args:
        graph: A cleaned fp32 graph.
        precision: FLOAT16 or BFLOAT16.
    """
    nodes = list(graph)
    constants = constant_nodes(graph)
    kept = {node for node in nodes if not (is_product(node) or is_elementwise(node) or is_move(node))}
    kept.update(*(_of_norm(node, constants) for node in nodes if is_operator(node, "Sqrt")))
    for node in nodes:
        if is_reduction(node):
            kept.update(_squares(node))
        elif is_operator(node, "Softmax"):
            kept.update(_ancestors(node, _is_cheap))
        elif is_operator(node, "Div"):
            kept.update(_division_by_sum(node))
        elif is_operator(node, "Sin") or is_operator(node, "Cos"):
            kept.update(_ancestors(node, lambda one: True))
        elif precision == ir.DataType.FLOAT16 and any(_too_far(value) for _, value in data_inputs(node)):
            kept.add(node)
    kept.update(_of_time(graph, constants))
    for value in graph.outputs:
        last = value.producer()
        if value.name == FRAMES and last is not None:
            kept.update(_last_layer(last))
    return {node for node in kept if not takes_any_dtype(node)}


def _closure(
    start: Iterable[ir.Node], step: Callable[[ir.Node], Iterable[ir.Node]], take: Callable[[ir.Node], bool]
) -> set[ir.Node]:
    """What is reached from the start, itself left out, by steps over nodes that are to be taken."""
    found: set[ir.Node] = set()
    waiting = list(start)
    while waiting:
        for node in step(waiting.pop()):
            if node not in found and take(node):
                found.add(node)
                waiting.append(node)
    return found


def _is_cheap(node: ir.Node) -> bool:
    return is_elementwise(node) or is_move(node)


def _ancestors(node: ir.Node, take: Callable[[ir.Node], bool]) -> set[ir.Node]:
    return _closure([node], producers, lambda one: not is_exact_source(one) and take(one))


def _squares(reduction: ir.Node) -> set[ir.Node]:
    """What is squared for a sum, and the mean's subtraction before that."""
    found = set()
    for node in producers(reduction):
        squared = is_operator(node, "Mul") and node.inputs[0] is node.inputs[1]
        if squared or is_operator(node, "Pow"):
            found.add(node)
            found.update(one for one in producers(node) if is_operator(one, "Sub"))
    return found


def _division_by_sum(division: ir.Node) -> set[ir.Node]:
    """A division by a sum, and what the sum goes through before it."""
    divisor = division.inputs[1]
    last = None if divisor is None else divisor.producer()
    if last is None:
        return set()
    between = {last, *_ancestors(last, _is_cheap)} if _is_cheap(last) else set()
    sums = {last, *(one for node in between for one in producers(node))}
    return {division, *between} if any(is_reduction(one) for one in sums) else set()


def _of_norm(root: ir.Node, constants: set[ir.Node]) -> set[ir.Node]:
    """From the statistics under a root to what is divided by it, with the scale and shift of constants after that."""
    beneath = _ancestors(root, lambda one: not is_product(one) and not is_reduction(one))
    statistics = {node for node in beneath if _depends_on_reduction(node)}
    if not any(is_reduction(one) for node in (root, *statistics) for one in producers(node)):
        return set()
    found = set(statistics)
    for divided in _closure([root], users, lambda one: _divides(one, root)):
        found.add(divided)
        found.update(_affine(divided, constants))
    return found


def _depends_on_reduction(node: ir.Node) -> bool:
    return any(is_reduction(one) for one in _closure([node], producers, lambda one: not is_product(one)))


def _divides(node: ir.Node, root: ir.Node) -> bool:
    """Whether a node divides by a root: in one step, or by the product with its reciprocal."""
    sources = set(producers(node))
    if is_operator(node, "Reciprocal") or is_operator(node, "Div"):
        return root in sources
    reciprocals = {one for one in sources if is_operator(one, "Reciprocal") or is_operator(one, "Div")}
    return is_operator(node, "Mul") and any(
        root in producers(one) and len(list(producers(one))) == 1 for one in reciprocals
    )


def _affine(node: ir.Node, constants: set[ir.Node]) -> set[ir.Node]:
    """The products and sums with constants that follow a node and are all that follows it."""
    found: set[ir.Node] = set()
    while True:
        following = list(users(node))
        if len(following) != 1 or not (is_operator(following[0], "Mul") or is_operator(following[0], "Add")):
            return found
        (node,) = following
        if not any(value.is_initializer() or value.producer() in constants for _, value in data_inputs(node)):
            return found
        found.add(node)


def _of_time(graph: ir.Graph, constants: set[ir.Node]) -> set[ir.Node]:
    """What depends on the timestep, and on no other input but by its shape."""
    found: set[ir.Node] = set()
    for node in graph:
        varying = [
            value for _, value in data_inputs(node) if not value.is_initializer() and value.producer() not in constants
        ]
        if varying and all(value.name == TIMESTEP or value.producer() in found for value in varying):
            found.add(node)
    return found


def _last_layer(node: ir.Node) -> set[ir.Node]:
    """A node and what leads to it, back to the nearest products."""
    found = {node}
    if not is_product(node):
        for producer in producers(node):
            found |= _last_layer(producer)
    return found


def _too_far(value: ir.Value) -> bool:
    """Whether a constant holds a number that fp16 makes infinite, zero or imprecise."""
    constant: npt.NDArray[Any] | None = small_constant(value)
    if constant is None or constant.dtype.kind != "f":
        return False
    size = np.abs(constant[np.isfinite(constant) & (constant != 0)])
    return bool(np.any(size > _FLOAT16_MAX) or np.any(size < _FLOAT16_TINY))
