"""Activations, recognised by what they compute: exporters spell one function in many ways."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from vidrt.export.depthwise.graph_queries import attribute, small_constant

_Array = npt.NDArray[np.float64]

_MOST_NODES = 16
_TOLERANCE = 1e-6
"""Relative to the argument: float32 constants are off by 6e-8, the two kinds of GELU are apart by 5e-4."""

# Steps that share no factor with round numbers, and arguments far outside of what any of the functions bends at.
_ARGUMENTS: _Array = np.concatenate([np.linspace(-12.0, 12.0, 997), [-1e4, -173.0, 173.0, 1e4]])


def _sigmoid(x: _Array) -> _Array:
    return 0.5 * (1.0 + np.tanh(0.5 * x))


def _erf(x: _Array) -> _Array:
    return np.array([math.erf(value) for value in x.flat]).reshape(x.shape)


def _gelu(x: _Array) -> _Array:
    return 0.5 * x * (1.0 + _erf(x / math.sqrt(2.0)))


def _gelu_tanh(x: _Array) -> _Array:
    return 0.5 * x * (1.0 + np.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * x**3)))


_ACTIVATIONS: Mapping[str, Callable[[_Array], _Array]] = {
    "relu": lambda x: np.maximum(x, 0.0),
    "silu": lambda x: x * _sigmoid(x),
    "gelu": _gelu,
    "gelu_tanh": _gelu_tanh,
}
"""By the words of the operators' attributes. GELU: Hendrycks and Gimpel, 2016."""

_OPERATORS: Mapping[str, Callable[..., _Array]] = {
    "Add": np.add,
    "Div": np.divide,
    "Erf": _erf,
    "Mul": np.multiply,
    "Pow": np.power,
    "Relu": _ACTIVATIONS["relu"],
    "Sigmoid": _sigmoid,
    "Sub": np.subtract,
    "Tanh": np.tanh,
}


def find_activation(value: ir.Value) -> tuple[str, ir.Value] | None:
    """The activation that a value goes through, and the activation's result.

    Args:
        value: A convolution's result.

    Returns:
        None where there is none of _ACTIVATIONS, or where something else reads what lies between.
    """
    nodes = _pointwise_nodes(value)
    for count in range(len(nodes), 0, -1):
        result = nodes[count - 1].outputs[0]
        needed = _needed_for(result, nodes[:count])
        if _is_closed(value, result, needed):
            name = _name_of(value, needed)
            if name is not None:
                return name, result
    return None


def _pointwise_nodes(value: ir.Value) -> list[ir.Node]:
    """Nodes that compute from the value and single numbers alone, each after those that it reads."""
    nodes: list[ir.Node] = []
    known = {value}
    waiting = [value]
    while waiting and len(nodes) < _MOST_NODES:
        for use in waiting.pop(0).uses():
            node = use.node
            supported = node.domain == "" and (node.op_type in _OPERATORS or node.op_type == "Gelu")
            if supported and node not in nodes and all(item in known or _is_number(item) for item in node.inputs):
                nodes.append(node)
                known.add(node.outputs[0])
                waiting.append(node.outputs[0])
    return nodes


def _is_number(value: ir.Value | None) -> bool:
    constant = small_constant(value)
    return constant is not None and constant.size == 1


def _needed_for(result: ir.Value, nodes: list[ir.Node]) -> list[ir.Node]:
    needed = {result}
    kept = []
    for node in reversed(nodes):
        if node.outputs[0] in needed:
            kept.append(node)
            needed.update(item for item in node.inputs if item is not None)
    return kept[::-1]


def _is_closed(value: ir.Value, result: ir.Value, nodes: list[ir.Node]) -> bool:
    """Whether only `nodes` read the value and what lies between it and the result."""
    inner = {value, *(node.outputs[0] for node in nodes)} - {result}
    return not any(item.is_graph_output() for item in inner) and all(
        use.node in nodes for item in inner for use in item.uses()
    )


def _name_of(value: ir.Value, nodes: list[ir.Node]) -> str | None:
    results: dict[Any, _Array] = {value: _ARGUMENTS}
    with np.errstate(all="ignore"):  # unlike functions may divide by zero
        for node in nodes:
            arguments = [results[item] if item in results else _number(item) for item in node.inputs]
            results[node.outputs[0]] = _compute(node, arguments)
        got = results[nodes[-1].outputs[0]]
        for name, function in _ACTIVATIONS.items():
            if np.all(np.abs(got - function(_ARGUMENTS)) <= _TOLERANCE * np.maximum(1.0, np.abs(_ARGUMENTS))):
                return name
    return None


def _number(value: ir.Value | None) -> _Array:
    constant = small_constant(value)
    assert constant is not None  # _pointwise_nodes
    return constant.astype(np.float64).reshape(())


def _compute(node: ir.Node, arguments: list[_Array]) -> _Array:
    if node.op_type == "Gelu":
        return _ACTIVATIONS["gelu_tanh" if attribute(node, "approximate", "none") == "tanh" else "gelu"](*arguments)
    return _OPERATORS[node.op_type](*arguments)
