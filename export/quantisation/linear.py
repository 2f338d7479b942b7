"""The linear layers of a graph, as PyTorch exports them: a product with a weight behind a Transpose."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import onnx_ir as ir

from vidrt.export.depthwise.graph_queries import is_operator

MIN_ELEMENTS = 4096
"""Smaller weights stay as they are: nothing is gained."""


@dataclass(frozen=True)
class LinearLayer:
    """One product.

    Args:
        product: The MatMul.
        transpose: What turns the weight round for it.
        weight: The initialiser's name; it is (out, in).
    """

    product: ir.Node
    transpose: ir.Node
    weight: str


def linear_layers(graph: ir.Graph, weights: Collection[str]) -> list[LinearLayer]:
    """Those whose weight is large, and read by linear layers alone.

    Args:
        graph: A cleaned graph.
        weights: Names of the initialisers that are weights.
    """
    found = []
    for node in graph:
        if not is_operator(node, "MatMul"):
            continue
        turned = node.inputs[1]
        transpose = None if turned is None else turned.producer()
        if transpose is None or not is_operator(transpose, "Transpose"):
            continue
        weight = transpose.inputs[0]
        if weight is None or weight.name not in weights or not _only_in_products(weight):
            continue
        if weight.shape is not None and len(weight.shape) == 2 and _elements(weight.shape) >= MIN_ELEMENTS:
            found.append(LinearLayer(node, transpose, str(weight.name)))
    return found


def _only_in_products(weight: ir.Value) -> bool:
    """A tied embedding, say, is needed as it is: its copy of eight bits would come on top."""
    turned = [use.node.outputs[0] for use in weight.uses() if is_operator(use.node, "Transpose")]
    return len(turned) == len(weight.uses()) and all(
        is_operator(use.node, "MatMul") and use.idx == 1 for value in turned for use in value.uses()
    )


def _elements(shape: ir.Shape) -> int:
    rows, columns = shape.numpy()
    return int(rows) * int(columns)
