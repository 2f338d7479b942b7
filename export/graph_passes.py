"""Clean-up of traced graphs. Weights take part as opaque inputs, so no pass can read, fold or merge them."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import onnx_ir as ir
from onnx_ir.passes import common
from onnxscript import optimizer

from vidrt.export.depthwise.graph_queries import is_operator

_ROUNDS = 4
_LARGE_TABLE = 2**26
"""Bytes in fp32."""


def name_weights(model: ir.Model, names: Mapping[str, str]) -> None:
    """Give initialisers that are weights the names they are stored under, and no numbers; constants stay."""
    initializers = model.graph.initializers
    weights = [initializers.pop(name) for name in list(initializers) if name in names]
    for value in weights:
        assert value.name is not None  # initialisers have one
        value.name = names[value.name]
        value.const_value = None
        initializers.add(value)


def clean(model: ir.Model, weights: Mapping[str, object]) -> None:
    """Infer shapes, fold constants, merge equal computations and drop dead ones, in place.

    Args:
        model: A traced graph.
        weights: Names of the initialisers that are weights.
    """
    with _opaque(model.graph, weights):
        optimizer.optimize_ir(model, num_iterations=_ROUNDS)
    tidy(model, weights)


def tidy(model: ir.Model, weights: Mapping[str, object]) -> None:
    """Merge equal computations and drop dead ones, in place: the part of clean() that is quick on graphs of any size.

    The optimiser looks through all of a graph at each of its nodes, in every round.
    """
    with _opaque(model.graph, weights) as opaque:
        ir.passes.Sequential(
            common.CommonSubexpressionEliminationPass(),
            common.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0),
            common.DeduplicateInitializersPass(),
        )(model)
        for value in opaque:
            _reshape_at_rest(value)
        ir.passes.Sequential(
            common.RemoveUnusedNodesPass(),
            common.RemoveUnusedOpsetsPass(),
            # It holds stack traces, and with them the paths of the machine that exported.
            common.ClearMetadataAndDocStringPass(),
            common.TopologicalSortPass(),
        )(model)


@contextlib.contextmanager
def _opaque(graph: ir.Graph, weights: Mapping[str, object]) -> Iterator[list[ir.Value]]:
    """Make weights inputs for a while; those that are not used any more stay away."""
    opaque = [value for name, value in graph.initializers.items() if name in weights]
    for value in opaque:
        assert value.name is not None  # initialisers have one
        graph.initializers.pop(value.name)
        graph.inputs.append(value)
    yield opaque
    for value in opaque:
        graph.inputs.remove(value)
        if value.uses():
            graph.initializers.add(value)


def _reshape_at_rest(weight: ir.Value) -> None:
    """Let a weight that is only ever used in one other shape have that shape: its bytes are the same."""
    uses = list(weight.uses())
    if len(uses) != 1 or uses[0].node.op_type != "Reshape" or uses[0].idx != 0 or weight.shape is None:
        return
    node = uses[0].node
    target = node.inputs[1].const_value if node.inputs[1] is not None else None
    allowzero = node.attributes.get("allowzero")
    if target is None or not weight.shape.is_static():
        return
    shape = np.asarray(target.numpy()).tolist()
    if 0 in shape and (allowzero is None or allowzero.as_int() == 0):
        return
    size = math.prod(weight.shape.numpy())
    known = math.prod(dim for dim in shape if dim != -1)
    ir.convenience.replace_all_uses_with(node.outputs[0], weight)
    weight.shape = ir.Shape([size // known if dim == -1 else dim for dim in shape])


def cast_initializers(model: ir.Model, compute: Mapping[str, ir.DataType]) -> None:
    """Put a Cast behind initialisers that are stored in another dtype than they are computed with, and only there.

    What is looked up in a large table is cast after that, not the table: runtimes fold casts of weights when they load
    them, and a vocabulary's embeddings in fp32 can be gigabytes.

    Args:
        model: A graph whose initialisers have their stored dtype.
        compute: The dtype its nodes expect, by initialiser; a Cast behind one may ask for another.
    """
    graph = model.graph
    for name, dtype in compute.items():
        stored = graph.initializers[name]
        users = list(stored.uses())
        for user, _ in [use for use in users if is_operator(use.node, "Cast")]:
            if user.attributes["to"].as_int() == stored.dtype and not user.outputs[0].is_graph_output():
                ir.convenience.replace_all_uses_with(user.outputs[0], stored)
                graph.remove(user, safe=True)
        users = [use for use in users if not is_operator(use.node, "Cast")]
        if stored.dtype == dtype or not users:
            continue
        if all(is_operator(user, "Gather") and index == 0 for user, index in users) and _is_large(stored):
            for user, _ in users:
                _cast_result(graph, user, dtype)
            continue
        cast = _cast(stored, dtype, name)
        insert_before_use(graph, cast, [user for user, _ in users])
        for user, index in users:
            user.replace_input_with(index, cast.outputs[0])


def insert_before_use(graph: ir.Graph, node: ir.Node, users: Sequence[ir.Node]) -> None:
    """Put a node that depends on no other right before the first of its users.

    A runtime that takes nodes in their order, and folds nothing, then holds one widened weight at a time.
    """
    own = {user for user in users if user.graph is graph}  # one in a subgraph has no place in the graph itself
    first = next(iter(own)) if len(own) == 1 else next((other for other in graph if other in own), graph[0])
    graph.insert_before(first, node)


def _is_large(table: ir.Value) -> bool:
    assert table.shape is not None  # initialisers have one
    return math.prod(table.shape.numpy()) * ir.DataType.FLOAT.itemsize > _LARGE_TABLE


def _cast_result(graph: ir.Graph, node: ir.Node, dtype: ir.DataType) -> None:
    """Give a Gather the dtype of its table, and those behind it what they had."""
    (result,) = node.outputs
    users = list(result.uses())
    table = node.inputs[0]
    assert table is not None  # what is gathered from
    assert result.name is not None
    assert table.dtype is not None  # typed since the trace
    result.dtype = table.dtype
    cast = _cast(result, dtype, result.name)
    graph.insert_after(node, cast)
    for user, index in users:
        user.replace_input_with(index, cast.outputs[0])


def _cast(value: ir.Value, dtype: ir.DataType, name: str) -> ir.Node:
    cast = ir.node("Cast", [value], {"to": dtype}, name=f"{name}.cast")
    (output,) = cast.outputs
    output.name, output.shape, output.dtype = f"{name}.{dtype.name.lower()}", value.shape, dtype
    return cast
