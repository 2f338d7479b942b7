"""Layers of one structure, in a row or here and there: traced once, and written into the graph once for each.

Tracing takes seconds a layer, and published denoisers have thirty of them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

import onnx_ir as ir
import torch
from torch import Tensor, nn

from vidrt.export import graph_passes
from vidrt.export.errors import ExportError
from vidrt.export.spec import Extent, ModuleSpec, Sizes, TensorSpec
from vidrt.export.to_onnx import trace
from vidrt.export.weights import Weight, stored_names

_DOMAIN = "vidrt.export"
_OPERATOR = "RepeatedLayer"
_ANY_SIZE = Extent(1, 2**20)


@dataclasses.dataclass(frozen=True)
class LayerSpec:
    """What a layer takes.

    Args:
        inputs: Of its forward(): first what goes from layer to layer, whose shape is the output's, then what all share.
        trace: A size of at least 2 for each symbol of the shapes.
    """

    inputs: tuple[TensorSpec, ...]
    trace: Sizes


class Repeated(nn.Module):
    """x -> layer(x, *shared) for each layer. In a trace a layer is one node, which expand() puts the layer's graph for.

    Layers between which others stand are called one by one, with layer().

    Args:
        layers: Layers that compute the same with different weights.
        spec: What they take.

    Raises:
        ExportError: There is none, or one has other weights than the first.
    """

    def __init__(self, layers: Iterable[nn.Module], spec: LayerSpec) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.spec = spec
        if not self.layers:
            raise ExportError("got no layers, expected at least one.")
        for index, layer in enumerate(self.layers):
            if _structure(layer) != _structure(self.layers[0]):
                raise ExportError(f"layer {index} is not of the first one's structure, so they are not repeated.")

    def forward(self, x: Tensor, *shared: Tensor) -> Tensor:
        """Of x's shape."""
        for index in range(len(self.layers)):
            x = self.layer(index, x, *shared)
        return x

    def layer(self, index: int, x: Tensor, *shared: Tensor) -> Tensor:
        """One of the layers: of x's shape."""
        if not torch.compiler.is_exporting():
            result: Tensor = self.layers[index](x, *shared)
            return result
        return torch.onnx.ops.symbolic(
            f"{_DOMAIN}::{_OPERATOR}",
            (x, *shared),
            {"owner": str(id(self)), "index": index},
            dtype=x.dtype,
            shape=x.shape,
            version=1,
        )


def _structure(layer: nn.Module) -> object:
    return type(layer), [(name, tensor.shape) for name, tensor in layer.state_dict().items()]


def expand(model: ir.Model, module: nn.Module, name: str, weights: Mapping[str, Weight]) -> None:
    """Put the layers' graphs in the place of their stand-ins, in place.

    Args:
        model: A module's cleaned graph.
        module: The module.
        name: The module's name in the bundle, for errors.
        weights: All weights by the name they are stored under.

    Raises:
        ExportError: A layer cannot be traced.
    """
    found = [(path, layers) for path, layers in module.named_modules() if isinstance(layers, Repeated)]
    for path, repeated in found:
        first, *_ = names = [stored_names(layer, weights) for layer in repeated.layers]
        layer = trace(_module_spec(repeated.spec, f"{name}: a layer of {path}"), repeated.layers[0])
        graph_passes.name_weights(layer, first)
        graph_passes.clean(layer, weights)
        stand_ins = [node for node in model.graph if _is_stand_in(node, repeated)]
        _expand(model, stand_ins, layer, [{first[key]: own[key] for key in first} for own in names], path)
    if found:
        model.opset_imports.pop(_DOMAIN, None)
        graph_passes.tidy(model, weights)


def _is_stand_in(node: ir.Node, repeated: Repeated) -> bool:
    return node.op_type == _OPERATOR and node.attributes["owner"].as_string() == str(id(repeated))


def _module_spec(spec: LayerSpec, name: str) -> ModuleSpec:
    first = spec.inputs[0]
    return ModuleSpec(
        name=name,
        build=lambda: nn.Identity(),
        inputs=spec.inputs,
        outputs=(TensorSpec(f"{first.name}_out", first.dtype, first.shape),),
        extents=dict.fromkeys(spec.trace, _ANY_SIZE),
        trace=spec.trace,
        cases=(spec.trace,),
        tolerance={},
    )


def _expand(
    model: ir.Model, stand_ins: Sequence[ir.Node], layer: ir.Model, renamed: Sequence[Mapping[str, str]], path: str
) -> None:
    for domain, version in layer.opset_imports.items():
        model.opset_imports.setdefault(domain, version)
    entries = [_entry(node, stand_ins) for node in stand_ins]
    for node, entry in zip(stand_ins, entries, strict=True):
        index = node.attributes["index"].as_int()
        _put_in_place(model.graph, node, layer.clone().graph, renamed[index], f"{path}.{index}", entry)


def _entry(node: ir.Node, stand_ins: Sequence[ir.Node]) -> ir.Value:
    """What goes into a row of layers. All their x have its shape: sizes are taken from it, and so computed once."""
    while True:
        x = node.inputs[0]
        assert x is not None
        before = x.producer()
        if before is None or before not in stand_ins:
            return x
        node = before


def _put_in_place(
    graph: ir.Graph, node: ir.Node, layer: ir.Graph, renamed: Mapping[str, str], prefix: str, entry: ir.Value
) -> None:
    for name in list(layer.initializers):
        value = layer.initializers.pop(name)
        value.name = renamed.get(name, f"{prefix}.{name}")
        graph.initializers.add(value)
    for use in [use for use in layer.inputs[0].uses() if use.node.op_type == "Shape"]:
        use.node.replace_input_with(use.idx, entry)
    for inside, outside in zip(layer.inputs, node.inputs, strict=True):
        assert outside is not None  # all are given
        ir.convenience.replace_all_uses_with(inside, outside)
    (result,) = layer.outputs
    layer.outputs.clear()
    nodes = list(layer)
    layer.remove(nodes)
    for inner in nodes:
        inner.name = f"{prefix}.{inner.name}"
        for value in inner.outputs:
            value.name = f"{prefix}.{value.name}"
            # A symbol means one thing there and another here.
            value.shape = None if value.shape is None else ir.Shape(_known(value.shape))
    graph.insert_before(node, nodes)
    ir.convenience.replace_all_uses_with(node.outputs[0], result, replace_graph_outputs=True)
    graph.remove(node, safe=True)


def _known(shape: ir.Shape) -> list[int | None]:
    return [dimension if isinstance(dimension, int) else None for dimension in shape]
