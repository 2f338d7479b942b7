"""Which nodes of a graph compute in fp32 when the others do so in low precision."""

from __future__ import annotations

import onnx_ir as ir

from vidrt.export.precision.operators import (
    constant_nodes,
    data_inputs,
    is_elementwise,
    is_exact_source,
    is_move,
    producers,
    takes_any_dtype,
    users,
)
from vidrt.export.precision.sensitive import sensitive_nodes


def nodes_in_fp32(graph: ir.Graph, precision: ir.DataType) -> set[ir.Node]:
    """The sensitive nodes, and cheap ones between them whose casts would cost more than they save.

    Args:
        graph: A cleaned fp32 graph.
        precision: FLOAT16 or BFLOAT16.
    """
    kept = sensitive_nodes(graph, precision)
    nodes = list(graph)
    constants = constant_nodes(graph)
    kept |= _moves_between(nodes, kept, constants)
    return kept | _enclosed(nodes, kept, constants)


def _moves_between(nodes: list[ir.Node], kept: set[ir.Node], constants: set[ir.Node]) -> set[ir.Node]:
    """Moves on a way from a node in fp32, or a constant, to another: in low precision they would round what passes."""
    after: set[ir.Node] = set()
    for node in nodes:
        if node in constants or (is_move(node) and any(one in kept or one in after for one in producers(node))):
            after.add(node)
    before: set[ir.Node] = set()
    for node in reversed(nodes):
        if is_move(node) and any(one in kept or one in before for one in users(node)):
            before.add(node)
    return after & before


def _enclosed(nodes: list[ir.Node], kept: set[ir.Node], constants: set[ir.Node]) -> set[ir.Node]:
    """Moves and elementwise nodes that take and give fp32 numbers only: the largest such set."""
    found = {node for node in nodes if (is_move(node) or is_elementwise(node)) and node not in kept}
    while True:
        known = kept | found
        leaving = {node for node in found if not (_takes_fp32(node, known, constants) and _gives_fp32(node, known))}
        if not leaving:
            return found
        found -= leaving


def _takes_fp32(node: ir.Node, kept: set[ir.Node], constants: set[ir.Node]) -> bool:
    sources = [
        value.producer() for _, value in data_inputs(node) if value.is_graph_input() or value.producer() is not None
    ]
    varying = [source for source in sources if source not in constants]
    return bool(varying) and all(source is None or source in kept or is_exact_source(source) for source in varying)


def _gives_fp32(node: ir.Node, kept: set[ir.Node]) -> bool:
    # An output of the graph is fp32.
    return all(one in kept or takes_any_dtype(one) for one in users(node))
