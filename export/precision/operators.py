"""What ONNX's operators mean to a low precision. An operator that stands nowhere here stays in fp32."""

from __future__ import annotations

from collections.abc import Iterator

import onnx_ir as ir

from vidrt.export.depthwise.match import DOMAIN

PRODUCTS = frozenset({"Conv", "ConvTranspose", "MatMul", "Gemm", "Einsum"})
"""Products with weights or of activations: tensor cores add them up in fp32 and round the result."""

# fmt: off
ELEMENTWISE = frozenset([
    "Abs", "Add", "Clip", "Div", "Elu", "Erf", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "Max",
    "Min", "Mish", "Mul", "Neg", "PRelu", "Relu", "Sigmoid", "Softplus", "Softsign", "Sub", "Swish",
    "Tanh", "Where",
])
# fmt: on
"""One number out for one number in, and no range larger than what goes in."""

# fmt: off
MOVES = frozenset([
    "AveragePool", "Concat", "DepthToSpace", "Expand", "Flatten", "Gather", "GatherElements", "GatherND",
    "Identity", "MaxPool", "Pad", "Reshape", "Resize", "Slice", "SpaceToDepth", "Split", "Squeeze", "Tile",
    "Transpose", "Unsqueeze",
])
# fmt: on
"""What carries numbers from place to place, or picks and averages neighbours."""

# fmt: off
REDUCTIONS = frozenset([
    "ReduceMean", "ReduceSum", "ReduceSumSquare", "ReduceL1", "ReduceL2", "ReduceLogSumExp",
])
# fmt: on
"""Sums over an axis: of squares of numbers that fp16 holds, most do not fit into it."""

_ARGUMENTS = {"Resize": (1, 2, 3), "Pad": (1, 3)}
"""Inputs that are no data, by operator: they keep their dtype."""


def is_product(node: ir.Node) -> bool:
    """Whether a node multiplies matrices or convolves, vidrt's operators included."""
    return node.domain == DOMAIN or (node.domain == "" and node.op_type in PRODUCTS)


def is_elementwise(node: ir.Node) -> bool:
    """Whether a node is one of ELEMENTWISE."""
    return node.domain == "" and node.op_type in ELEMENTWISE


def is_move(node: ir.Node) -> bool:
    """Whether a node is one of MOVES."""
    return node.domain == "" and node.op_type in MOVES


def is_reduction(node: ir.Node) -> bool:
    """Whether a node is one of REDUCTIONS."""
    return node.domain == "" and node.op_type in REDUCTIONS


def takes_any_dtype(node: ir.Node) -> bool:
    """Whether a node reads its input in whatever precision that is: conversions, and questions for a shape."""
    return node.domain == "" and node.op_type in ("Cast", "Shape", "Size")


def data_inputs(node: ir.Node) -> list[tuple[int, ir.Value]]:
    """The fp32 inputs that are data, with their positions."""
    arguments = _ARGUMENTS.get(node.op_type, ()) if node.domain == "" else ()
    return [
        (index, value)
        for index, value in enumerate(node.inputs)
        if value is not None and index not in arguments and value.dtype == ir.DataType.FLOAT
    ]


def float_outputs(node: ir.Node) -> list[ir.Value]:
    """The fp32 outputs."""
    return [value for value in node.outputs if value.dtype == ir.DataType.FLOAT]


def constant_nodes(graph: ir.Graph) -> set[ir.Node]:
    """The nodes that compute from constants alone, as a weight's Transpose."""
    found: set[ir.Node] = set()
    for node in graph:
        values = [value for value in node.inputs if value is not None]
        if values and all(
            value.producer() in found if value.producer() else value.is_initializer() for value in values
        ):
            found.add(node)
    return found


def producers(node: ir.Node) -> Iterator[ir.Node]:
    """The nodes that give a node's data."""
    for _, value in data_inputs(node):
        producer = value.producer()
        if producer is not None:
            yield producer


def users(node: ir.Node) -> Iterator[ir.Node]:
    """The nodes that read a node's fp32 outputs."""
    for value in float_outputs(node):
        for use in value.uses():
            yield use.node


def is_exact_source(node: ir.Node) -> bool:
    """Whether a node makes fp32 numbers of integers or booleans."""
    return node.domain == "" and node.op_type == "Cast" and bool(float_outputs(node)) and not data_inputs(node)
