"""The operators as TensorRT's ONNX parser takes them for plugins.

The parser finds a plugin by a node's operator, version and namespace, and has no absent inputs: those that are there
stand in order, and attributes say which they are, and whether there is a second output.
"""

from __future__ import annotations

import onnx_ir as ir

from vidrt.export.depthwise.match import DEPTHWISE, DOMAIN, SEPARABLE

PLUGIN_VERSION = "1"
PLUGIN_NAMESPACE = "vidrt"

_REQUIRED = ""
_INPUTS = {
    DEPTHWISE: (_REQUIRED, _REQUIRED, "has_bias", "has_residual", "has_cache_in"),
    SEPARABLE: (_REQUIRED, _REQUIRED, "has_bias", _REQUIRED, "has_pointwise_bias", "has_residual", "has_cache_in"),
}
"""The attribute that says of each input whether it is there."""

_HAS_CACHE_OUT = "has_cache_out"


def to_plugin_form(model: ir.Model) -> None:
    """Change the nodes of a rewritten graph, in place, to what the parser takes."""
    for node in _operators(model):
        words = _INPUTS[node.op_type]
        inputs = [*node.inputs, *[None] * (len(words) - len(node.inputs))]
        added: dict[str, int | str] = {"plugin_version": PLUGIN_VERSION, "plugin_namespace": PLUGIN_NAMESPACE}
        for word, value in zip(words, inputs, strict=True):
            if word != _REQUIRED:
                added[word] = int(value is not None)
        added[_HAS_CACHE_OUT] = int(len(node.outputs) > 1)
        typed = {item.name: item for item in ir.convenience.convert_attributes(added)}
        _change(node, [value for value in inputs if value is not None], {**node.attributes, **typed})


def from_plugin_form(model: ir.Model) -> None:
    """The inverse of to_plugin_form()."""
    for node in _operators(model):
        words = _INPUTS[node.op_type]
        present = iter(node.inputs)
        inputs = [next(present) if word == _REQUIRED or node.attributes[word].as_int() else None for word in words]
        while inputs[-1] is None:
            inputs.pop()
        added = {*words, _HAS_CACHE_OUT, "plugin_version", "plugin_namespace"}
        _change(node, inputs, {name: value for name, value in node.attributes.items() if name not in added})


def _operators(model: ir.Model) -> list[ir.Node]:
    return [node for node in model.graph if node.domain == DOMAIN and node.op_type in _INPUTS]


def _change(node: ir.Node, inputs: list[ir.Value | None], attributes: dict[str, ir.Attr]) -> None:
    """Give a node other inputs and attributes."""
    node.resize_inputs(len(inputs))
    for index, value in enumerate(inputs):
        node.replace_input_with(index, value)
    node.attributes.clear()
    node.attributes.update(attributes)
