"""What a graph of low precision computes, as an fp32 graph that any processor runs.

Every node computes in fp32, from numbers of the low precision, and a pair of casts rounds what it gives: products with
fp32 sums and rounded results, as tensor cores make them. A kernel that does several nodes at once rounds less often.
"""

from __future__ import annotations

import onnx_ir as ir

from vidrt.export.depthwise.graph_queries import is_operator
from vidrt.export.graph_passes import insert_before_use
from vidrt.export.precision.operators import is_move

_LOW = (ir.DataType.FLOAT16, ir.DataType.BFLOAT16)


def emulate(model: ir.Model) -> None:
    """Change a strongly typed graph of low precision in place; an fp32 graph stays as it is."""
    graph = model.graph
    # Before the nodes: these casts are none of the graph's own.
    stored = [value for value in graph.initializers.values() if value.dtype in _LOW]
    nodes = list(graph)
    for value in stored:
        _widen(graph, value)
    for node in nodes:
        for output in node.outputs:
            if output.dtype in _LOW:
                _emulate_output(graph, node, output)
        if is_operator(node, "Cast") and node.attributes["to"].as_int() == ir.DataType.FLOAT:
            (source,) = node.inputs
            if source is not None and source.dtype == ir.DataType.FLOAT and not node.outputs[0].is_graph_output():
                ir.convenience.replace_all_uses_with(node.outputs[0], source)
                graph.remove(node, safe=True)


def _widen(graph: ir.Graph, value: ir.Value) -> None:
    """Let all that reads a stored low number read the same in fp32, but for casts."""
    uses = [use for use in value.uses() if not is_operator(use.node, "Cast")]
    if not uses:
        return
    cast = ir.node("Cast", [value], {"to": ir.DataType.FLOAT}, name=f"{value.name}.emulated")
    (output,) = cast.outputs
    output.name, output.shape, output.type = f"{value.name}.emulated", value.shape, ir.TensorType(ir.DataType.FLOAT)
    insert_before_use(graph, cast, [use.node for use in uses])
    for use in uses:
        use.node.replace_input_with(use.idx, output)


def _emulate_output(graph: ir.Graph, node: ir.Node, output: ir.Value) -> None:
    """Make a low output an fp32 one that holds numbers of the low precision only."""
    low = output.dtype
    assert low is not None  # one of _LOW
    if is_move(node):  # gives what it takes
        output.type = ir.TensorType(ir.DataType.FLOAT)
        return
    uses = list(output.uses())
    rounded = output
    if not is_operator(node, "Cast"):
        output.type = ir.TensorType(ir.DataType.FLOAT)
        rounded = _insert_cast(graph, node, output, low, "rounded")
        producer = rounded.producer()
        assert producer is not None  # just made
        node = producer
    widened = _insert_cast(graph, node, rounded, ir.DataType.FLOAT, "emulated")
    for use in uses:
        use.node.replace_input_with(use.idx, widened)


def _insert_cast(graph: ir.Graph, after: ir.Node, value: ir.Value, dtype: ir.DataType, end: str) -> ir.Value:
    cast = ir.node("Cast", [value], {"to": dtype}, name=f"{value.name}.{end}")
    (output,) = cast.outputs
    output.name, output.shape, output.type = f"{value.name}.{end}", value.shape, ir.TensorType(dtype)
    graph.insert_after(after, cast)
    return output
