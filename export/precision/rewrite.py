"""The pass: an fp32 graph becomes one that computes in fp16 or bf16, strongly typed, by explicit casts.

Inputs and outputs keep their dtype. Weights are not read: where one is needed in low precision a Cast stands behind it,
which graph_file.refer_to() makes one of what is stored, or removes.
"""

from __future__ import annotations

from collections.abc import Collection

import ml_dtypes
import numpy as np
import onnx_ir as ir
from onnx_ir.passes import common

from vidrt.export.depthwise.graph_queries import hidden_weights
from vidrt.export.errors import ExportError
from vidrt.export.precision.operators import data_inputs, float_outputs, is_exact_source, takes_any_dtype
from vidrt.export.precision.placement import nodes_in_fp32
from vidrt.export.spec import Precision

LOW_DTYPES: dict[Precision, ir.DataType] = {"fp16": ir.DataType.FLOAT16, "bf16": ir.DataType.BFLOAT16}
"""ONNX's data types of the low precisions."""

_NUMPY_DTYPES = {ir.DataType.FLOAT16: np.float16, ir.DataType.BFLOAT16: ml_dtypes.bfloat16}


def to_precision(model: ir.Model, precision: Precision, weights: Collection[str]) -> None:
    """Rewrite a graph in place; for fp32 it stays as it is.

    Args:
        model: A cleaned fp32 graph, with vidrt's operators or without, whose weights are not yet external data.
        precision: What it shall compute in.
        weights: Names of the initialisers that are weights; the numbers of the others are read and rounded here.

    Raises:
        ExportError: A node holds a graph of its own, or a value has no dtype.
    """
    if precision == "fp32":
        return
    for node in model.graph:
        if any(item.type in (ir.AttributeType.GRAPH, ir.AttributeType.GRAPHS) for item in node.attributes.values()):
            raise ExportError(
                f"the node {node.name!r} ({node.op_type}) holds a graph, which has no form in {precision}."
            )
        for value in node.outputs:
            if value.dtype is None:
                raise ExportError(
                    f"{value.name!r}, which {node.op_type} gives, has no dtype; expected one of each value."
                )
    with hidden_weights(model.graph, weights):
        _Rewriter(model.graph, LOW_DTYPES[precision]).run()
    common.RemoveUnusedNodesPass()(model)
    common.TopologicalSortPass()(model)


class _Rewriter:
    """Changes dtypes and adds casts, one for each value and dtype."""

    def __init__(self, graph: ir.Graph, low: ir.DataType) -> None:
        self._graph = graph
        self._low = low
        self._cast: dict[tuple[ir.Value, ir.DataType], ir.Value] = {}

    def run(self) -> None:
        nodes = list(self._graph)
        kept = nodes_in_fp32(self._graph, self._low)
        wanted = {
            (node, index): ir.DataType.FLOAT if node in kept else self._low
            for node in nodes
            if not takes_any_dtype(node)
            for index, _ in data_inputs(node)
        }
        for node in nodes:
            if node not in kept and not is_exact_source(node) and not takes_any_dtype(node):
                for value in float_outputs(node):
                    self._lower(value)
        for (node, index), dtype in wanted.items():
            given = node.inputs[index]
            assert given is not None  # data_inputs() gave it
            if given.dtype != dtype:
                node.replace_input_with(index, self._as(given, dtype))

    def _lower(self, value: ir.Value) -> None:
        """Give a value low precision; an output of the graph keeps its name and dtype behind a Cast."""
        if value.is_graph_output():
            name = value.name
            value.name = f"{name}.{self._low.name.lower()}"
            widened = self._insert_cast(value, ir.DataType.FLOAT, str(name))
            for index, output in enumerate(self._graph.outputs):
                if output is value:
                    self._graph.outputs[index] = widened
        value.type = ir.TensorType(self._low)

    def _as(self, value: ir.Value, dtype: ir.DataType) -> ir.Value:
        key = (value, dtype)
        if key not in self._cast:
            self._cast[key] = self._converted(value, dtype)
        return self._cast[key]

    def _converted(self, value: ir.Value, dtype: ir.DataType) -> ir.Value:
        name = f"{value.name}.{dtype.name.lower()}"
        producer = value.producer()
        if producer is not None and is_exact_source(producer):
            (source,) = producer.inputs
            assert source is not None  # a Cast's only one
            return self._insert_cast(source, dtype, name)
        if value.const_value is not None:
            rounded = ir.Tensor(value.const_value.numpy().astype(_NUMPY_DTYPES[dtype]), dtype=dtype, name=name)
            constant = ir.Value(name=name, shape=value.shape, type=ir.TensorType(dtype), const_value=rounded)
            self._graph.register_initializer(constant)
            return constant
        return self._insert_cast(value, dtype, name)

    def _insert_cast(self, value: ir.Value, dtype: ir.DataType, name: str) -> ir.Value:
        node = ir.node("Cast", [value], {"to": dtype}, name=f"{name}.cast")
        (output,) = node.outputs
        output.name, output.shape, output.type = name, value.shape, ir.TensorType(dtype)
        producer = value.producer()
        if producer is None:
            self._graph.insert_before(self._graph[0], node)
        else:
            self._graph.insert_after(producer, node)
        self._cast[value, dtype] = output
        return output
