"""The pass: large weights of linear layers become numbers of eight bits with scales. All else computes as before."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import onnx_ir as ir
import torch
from onnx_ir.passes import common
from torch import Tensor

from vidrt.export.quantisation.linear import LinearLayer, linear_layers
from vidrt.export.quantisation.rounding import round_blocks, round_rows
from vidrt.export.weights import Weight

MICROSOFT = "com.microsoft"
MATMUL_NBITS = f"{MICROSOFT}::MatMulNBits"
BLOCK_SIZE = 32
"""Inputs that share a scale: the finest of what ONNX Runtime takes. Scales then add an eighth to the weights."""

_FP32_ACTIVATIONS = 1
"""MatMulNBits's accuracy_level at which activations stay float32; at 4 they are rounded to eight bits as well."""


def to_matmul_nbits(model: ir.Model, weights: Mapping[str, Weight]) -> dict[str, Weight]:
    """Rewrite a graph in place with ONNX Runtime's operator for products with packed weights.

    Args:
        model: A cleaned fp32 graph whose weights are not yet external data.
        weights: The weights by name.

    Returns:
        The new initialisers, to be stored; empty where nothing was rewritten.
    """

    def pack(name: str, weight: Tensor) -> dict[str, Tensor]:
        packed, scales = round_blocks(weight, BLOCK_SIZE)
        return {f"{name}.packed": packed, f"{name}.scales": scales}

    def replace(layer: LinearLayer, constants: list[ir.Value], weight: Tensor) -> None:
        outputs, inputs = weight.shape
        attributes = {"K": inputs, "N": outputs, "bits": 8, "block_size": BLOCK_SIZE}
        node = ir.node(
            "MatMulNBits",
            [layer.product.inputs[0], *constants],
            {**attributes, "accuracy_level": _FP32_ACTIVATIONS},
            domain=MICROSOFT,
            name=layer.product.name,
        )
        given, made = layer.product.outputs[0], node.outputs[0]
        made.name, made.shape, made.type = given.name, given.shape, given.type
        ir.convenience.replace_nodes_and_values(model.graph, layer.product, [layer.product], [node], [given], [made])

    made = _rewrite(model, weights, pack, replace)
    if made:
        model.graph.opset_imports[MICROSOFT] = 1
    return made


def to_dequantize(model: ir.Model, weights: Mapping[str, Weight]) -> dict[str, Weight]:
    """Rewrite a graph in place with ONNX's DequantizeLinear before the weights' Transpose, for TensorRT.

    Args and the result are those of to_matmul_nbits().
    """

    def pack(name: str, weight: Tensor) -> dict[str, Tensor]:
        rows, scales = round_rows(weight)
        return {f"{name}.int8": rows, f"{name}.row_scales": scales}

    wide: dict[str, ir.Value] = {}

    def replace(layer: LinearLayer, constants: list[ir.Value], weight: Tensor) -> None:
        if layer.weight not in wide:
            node = ir.node("DequantizeLinear", constants, {"axis": 0}, name=f"{layer.weight}.dequantize")
            wide[layer.weight] = made = node.outputs[0]
            made.name, made.shape = f"{layer.weight}.float", ir.Shape(weight.shape)
            made.type = ir.TensorType(ir.DataType.FLOAT)
            model.graph.insert_before(model.graph[0], node)
        layer.transpose.replace_input_with(0, wide[layer.weight])

    return _rewrite(model, weights, pack, replace)


def _rewrite(
    model: ir.Model,
    weights: Mapping[str, Weight],
    pack: Callable[[str, Tensor], dict[str, Tensor]],
    replace: Callable[[LinearLayer, list[ir.Value], Tensor], None],
) -> dict[str, Weight]:
    made: dict[str, Weight] = {}
    constants: dict[str, list[ir.Value]] = {}
    for layer in linear_layers(model.graph, weights):
        tensor = weights[layer.weight].tensor
        if layer.weight not in constants:
            packed = pack(layer.weight, tensor)
            made.update({name: Weight(value, value.dtype) for name, value in packed.items()})
            constants[layer.weight] = [_initializer(model.graph, name, value) for name, value in packed.items()]
        replace(layer, constants[layer.weight], tensor)
    common.RemoveUnusedNodesPass()(model)
    return made


def _initializer(graph: ir.Graph, name: str, tensor: Tensor) -> ir.Value:
    dtype = {torch.uint8: ir.DataType.UINT8, torch.int8: ir.DataType.INT8, torch.float32: ir.DataType.FLOAT}
    content = ir.Tensor(tensor.numpy(), dtype=dtype[tensor.dtype], name=name)
    value = ir.Value(name=name, shape=content.shape, type=ir.TensorType(content.dtype), const_value=content)
    graph.register_initializer(value)
    return value
