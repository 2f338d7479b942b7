"""A bundle like another whose denoiser costs nothing, so that what the decoder needs shows alone."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, helper

ONNX_TYPES = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64}


def _value(tensor: dict[str, Any]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(tensor["name"], ONNX_TYPES[tensor["dtype"]], list(map(str, tensor["shape"])))


def idle_denoiser(variant: dict[str, Any]) -> bytes:
    """A graph with the denoiser's inputs and outputs that predicts zero everywhere."""
    (prediction,) = variant["tensors"]["outputs"]
    zero = helper.make_tensor("zero", ONNX_TYPES[prediction["dtype"]], [], [0.0])
    graph = helper.make_graph(
        [helper.make_node("Mul", ["latents", "zero"], [prediction["name"]])],
        "idle_denoiser",
        [_value(tensor) for tensor in variant["tensors"]["inputs"]],
        [_value(prediction)],
        initializer=[zero],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", variant["opset"])], ir_version=10)
    return bytes(model.SerializeToString())


def make_decode_bundle(source: Path, target: Path) -> Path:
    """Copy `source` to `target` with the denoiser replaced; returns target."""
    shutil.copytree(source, target)
    manifest = json.loads((target / "manifest.json").read_text())
    for variant in manifest["modules"]["denoiser"]["variants"]:
        graph = idle_denoiser(variant)
        (target / variant["file"]).write_bytes(graph)
        variant |= {"bytes": len(graph), "sha256": hashlib.sha256(graph).hexdigest(), "data_files": [], "parity": None}
        variant["custom_ops"] = []
    (target / "manifest.json").write_text(json.dumps(manifest))
    return target
