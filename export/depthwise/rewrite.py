"""The pass: each depthwise 3D convolution, with what stands around it, becomes one of vidrt's operators.

Weights keep their names and bytes: where an operator wants another shape, only the shape is changed, and nothing reads
their numbers. It runs before weights are made external data: the Cast behind a weight that is stored narrower then
comes to stand between weight and operator, where every runtime folds it.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

import onnx_ir as ir
from onnx_ir.passes import common

from vidrt.export.depthwise.convolution import is_candidate
from vidrt.export.depthwise.graph_queries import hidden_weights
from vidrt.export.depthwise.match import DOMAIN, VERSION, Match, find_match
from vidrt.export.depthwise.report import Report, Rewritten, Skipped
from vidrt.export.depthwise.unfit import Unfit


def rewrite(model: ir.Model, weights: Collection[str], *, separable: bool = True) -> Report:
    """Rewrite a graph in place.

    Args:
        model: A cleaned graph whose weights are not yet external data.
        weights: Names of the initialisers that are weights; the numbers of the others may be read.
        separable: Whether a depthwise convolution and the 1x1x1 convolution after it become one operator.

    Returns:
        What became of every convolution in groups.
    """
    rewritten = []
    skipped = []
    with hidden_weights(model.graph, weights):
        for node in [node for node in model.graph if is_candidate(node)]:
            name = node.name or str(node.outputs[0].name)
            try:
                match = find_match(node, separable=separable)
            except Unfit as reason:
                skipped.append(Skipped(name, str(reason)))
                continue
            _replace(model.graph, match, name)
            common.RemoveUnusedNodesPass()(model)  # the next match counts who reads a value
            rewritten.append(Rewritten(name, match.operator, match.absorbed()))
        if rewritten:
            model.graph.sort()
            model.opset_imports[DOMAIN] = VERSION
    return Report(tuple(rewritten), tuple(skipped))


def _replace(graph: ir.Graph, match: Match, name: str) -> None:
    results = [match.result, *(node.outputs[0] for node in match.cache_outputs[:1])]
    fused = ir.node(
        match.operator, _inputs(match), _attributes(match), domain=DOMAIN, num_outputs=len(results), name=name
    )
    last = match.result.producer()
    assert last is not None  # a convolution at least
    graph.insert_after(last, fused)
    for old, new in zip(results, fused.outputs, strict=True):
        new.name, new.shape, new.type = old.name, old.shape, old.type
        ir.convenience.replace_all_uses_with(old, new, replace_graph_outputs=True)
    for equal in match.cache_outputs[1:]:
        ir.convenience.replace_all_uses_with(equal.outputs[0], fused.outputs[1], replace_graph_outputs=True)


def _inputs(match: Match) -> list[ir.Value | None]:
    """The operator's inputs in order, None for those that it does without; weights get the shapes that it wants."""
    inputs = [match.seen.clip, match.depthwise.weight, _vector(match.depthwise.bias)]
    if match.pointwise is not None:
        matrix = match.pointwise.weight
        assert matrix.shape is not None
        inputs += [_shaped(matrix, tuple(matrix.shape.numpy()[:2])), _vector(match.pointwise.bias)]
    inputs += [match.residual, match.seen.cache]
    while inputs[-1] is None:
        inputs.pop()
    return inputs


def _vector(bias: ir.Value | None) -> ir.Value | None:
    if bias is None:
        return None
    assert bias.shape is not None
    return _shaped(bias, (math.prod(bias.shape.numpy()),))


def _shaped(weight: ir.Value, shape: tuple[int, ...]) -> ir.Value:
    weight.shape = ir.Shape(shape)
    if weight.const_value is not None:  # a constant, which may come to lie in the graph itself
        weight.const_value = ir.Tensor(weight.const_value.numpy().reshape(shape), name=weight.name)
    return weight


def _attributes(match: Match) -> dict[str, Any]:
    where = match.attributes
    attributes: dict[str, Any] = {
        "strides": list(where.strides),
        "dilations": list(where.dilations),
        "temporal_padding": where.temporal_padding,
        "temporal_pad_mode": where.temporal_pad_mode,
        "spatial_padding": where.spatial_padding,
        "spatial_pad_mode": where.spatial_pad_mode,
        "activation": match.depthwise.activation,
        "data_layout": "NCTHW",
    }
    if match.pointwise is not None:
        attributes["output_activation"] = match.pointwise.activation
    return attributes
