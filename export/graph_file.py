"""A cleaned graph with its weights outside: ONNX external data in the bundle's safetensors file."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import onnx
import onnx_ir as ir
import torch

from vidrt.export.errors import ExportError
from vidrt.export.graph_passes import widen_initializers
from vidrt.export.weights import Weight, WeightFile

MAX_INLINE_BYTES = 1024
"""Constants from this size on lie in the weights' file."""

_ONNX_DTYPES = {
    torch.float32: ir.DataType.FLOAT,
    torch.float16: ir.DataType.FLOAT16,
    torch.bfloat16: ir.DataType.BFLOAT16,
    torch.int64: ir.DataType.INT64,
    torch.int32: ir.DataType.INT32,
    torch.uint8: ir.DataType.UINT8,
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
        value.name = "constants." + hashlib.sha256(value.const_value.tobytes()).hexdigest()[:16]
        initializers.add(value)
        taken[value.name] = Weight(tensor, tensor.dtype)
    return taken


def refer_to(model: ir.Model, file: WeightFile) -> None:
    """Make every initialiser that the file holds external data of it, with a Cast where it is stored narrower."""
    compute = {}
    for name, value in model.graph.initializers.items():
        stored = file.tensors.get(name)
        if stored is None:
            continue
        assert value.dtype is not None  # typed since the trace
        assert value.shape is not None
        compute[name] = value.dtype
        value.type = ir.TensorType(_ONNX_DTYPES[stored.dtype])  # a new one: copies of a graph share the old one
        value.const_value = ir.ExternalTensor(
            file.path, stored.offset, stored.length, value.dtype, shape=value.shape, name=name
        )
    widen_initializers(model, compute)


def write_graph(root: Path, path: str, model: ir.Model) -> None:
    """Serialize a graph to `<root>/<path>` and check it.

    It lies at the bundle's top: external data is named relative to the graph, and a bundle's paths count from its root.

    Raises:
        ExportError: ONNX's checker refuses it.
        OSError: The file cannot be written.
    """
    model.producer_name = "vidrt"
    model.producer_version = None
    model.graph.name = Path(path).stem
    target = root / path
    target.write_bytes(ir.to_proto(model).SerializeToString(deterministic=True))
    try:
        onnx.checker.check_model(str(target), full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ExportError(f"{path}: ONNX's checker refuses the graph: {error}") from error
