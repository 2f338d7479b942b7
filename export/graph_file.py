"""A cleaned graph with its weights outside: ONNX external data in the bundle's safetensors file."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import onnx
import onnx_ir as ir
import torch

from vidrt.export.depthwise.graph_queries import is_operator
from vidrt.export.errors import ExportError
from vidrt.export.graph_passes import cast_initializers
from vidrt.export.node_order import SideOutputsFirstPass
from vidrt.export.weights import StoredTensor, Weight, WeightFile

MAX_INLINE_BYTES = 1024
"""Constants from this size on lie in the weights' file."""

_ONNX_DTYPES = {
    torch.float32: ir.DataType.FLOAT,
    torch.float16: ir.DataType.FLOAT16,
    torch.bfloat16: ir.DataType.BFLOAT16,
    torch.int64: ir.DataType.INT64,
    torch.int32: ir.DataType.INT32,
    torch.uint8: ir.DataType.UINT8,
    torch.int8: ir.DataType.INT8,
    torch.bool: ir.DataType.BOOL,
}


def take_out_constants(model: ir.Model, weights: Mapping[str, Weight]) -> dict[str, Weight]:
    """Name a graph's large constants by their content, for them to be stored beside the weights.

    Args:
        model: A cleaned graph.
        weights: The weights by name; all other initialisers are constants.

    Returns:
        The constants by their new names. They keep their dtype: nobody measured what rounding would do to them.
    """
    initializers = model.graph.initializers
    taken = {}
    for name in [name for name in initializers if name not in weights]:
        value = initializers[name]
        if value.const_value is None or value.const_value.nbytes < MAX_INLINE_BYTES:
            continue
        tensor = torch.from_numpy(value.const_value.numpy().copy())
        initializers.pop(name)
        new_name = "constants." + hashlib.sha256(value.const_value.tobytes()).hexdigest()[:16]
        twin = initializers.get(new_name)
        if twin is not None and (twin.dtype, twin.shape) == (value.dtype, value.shape):
            # Rotary tables of rows and of columns are the same.
            ir.convenience.replace_all_uses_with(value, twin)
            continue
        if twin is not None:
            new_name += f".{value.dtype}.{value.shape}"
        value.name = new_name
        initializers.add(value)
        taken[new_name] = Weight(tensor, tensor.dtype, constant=True)
    return taken


def refer_to(model: ir.Model, file: WeightFile, narrow: WeightFile | None = None) -> None:
    """Make every initialiser that a file holds external data of it, with a Cast where it is stored in another dtype.

    Args:
        model: A graph whose initialisers have the dtype that it computes in, behind a Cast where that is another.
        file: Holds all of the graph's weights.
        narrow: Holds some of them in a low precision: what stands there in the dtype of a Cast is taken from there.
    """
    if narrow is not None:
        _refer_to_narrow(model, narrow)
    compute = {}
    for name, value in model.graph.initializers.items():
        stored = file.tensors.get(name)
        if stored is None:
            continue
        assert value.dtype is not None  # typed since the trace
        compute[name] = value.dtype
        _make_external(value, file, stored)
    cast_initializers(model, compute)


def _refer_to_narrow(model: ir.Model, narrow: WeightFile) -> None:
    graph = model.graph
    for name, value in list(graph.initializers.items()):
        stored = narrow.tensors.get(name)
        if stored is None:
            continue
        dtype = _ONNX_DTYPES[stored.dtype]
        for node in [use.node for use in value.uses() if is_cast_to(use.node, dtype)]:
            taken = ir.Value(name=f"{name}.{dtype.name.lower()}", shape=value.shape)
            _make_external(taken, narrow, stored)
            # The Cast's result, whose name this is, goes first.
            ir.convenience.replace_all_uses_with(node.outputs[0], taken)
            graph.remove(node, safe=True)
            graph.register_initializer(taken)
        if not value.uses():
            graph.initializers.pop(name)


def is_cast_to(node: ir.Node, dtype: ir.DataType) -> bool:
    """Whether a node is a Cast to that dtype."""
    return is_operator(node, "Cast") and node.attributes["to"].as_int() == dtype


def _make_external(value: ir.Value, file: WeightFile, stored: StoredTensor) -> None:
    assert value.name is not None  # initialisers have both
    assert value.shape is not None
    dtype = _ONNX_DTYPES[stored.dtype]
    value.type = ir.TensorType(dtype)  # a new one: copies of a graph share the old one
    value.const_value = ir.ExternalTensor(
        file.path, stored.offset, stored.length, dtype, shape=value.shape, name=value.name
    )


def write_graph(root: Path, path: str, model: ir.Model) -> None:
    """Put a graph's nodes in order, serialize it to `<root>/<path>` and check it.

    It lies at the bundle's top: external data is named relative to the graph, and a bundle's paths count from its root.

    Raises:
        ExportError: ONNX's checker refuses it.
        OSError: The file cannot be written.
    """
    SideOutputsFirstPass()(model)
    model.producer_name = "vidrt"
    model.producer_version = None
    model.graph.name = Path(path).stem
    target = root / path
    target.write_bytes(ir.to_proto(model).SerializeToString(deterministic=True))
    try:
        onnx.checker.check_model(str(target), full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ExportError(f"{path}: ONNX's checker refuses the graph: {error}") from error
