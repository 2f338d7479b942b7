"""The exported pocket model, at toy size: its graphs, its weights and what its manifest says of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from safetensors.torch import load_file

from vidrt.export.models.pocket import bundle_spec
from vidrt.export.parity import open_session

MODULES = ("text_encoder", "denoiser", "vae_decoder_first", "vae_decoder_next")
GRAPHS = [
    *((module, "fp32") for module in MODULES),
    *((module, variant) for module in MODULES[1:] for variant in ("vidrt", "plugin")),
]


@pytest.fixture(scope="module")
def manifest(toy_bundle: Any) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((toy_bundle.path / "manifest.json").read_text())
    return content


def _variant(manifest: dict[str, Any], module: str, variant: str) -> dict[str, Any]:
    (found,) = [item for item in manifest["modules"][module]["variants"] if item["id"] == variant]
    return dict(found)


def _graph(bundle: Path, manifest: dict[str, Any], module: str, variant: str) -> onnx.ModelProto:
    return onnx.load(bundle / _variant(manifest, module, variant)["file"], load_external_data=False)


def _external(graph: onnx.ModelProto) -> dict[str, dict[str, str]]:
    return {
        tensor.name: {entry.key: entry.value for entry in tensor.external_data}
        for tensor in graph.graph.initializer
        if tensor.data_location == onnx.TensorProto.EXTERNAL
    }


def test_the_weights_file_reads_back_as_the_checkpoint(toy_bundle: Any, manifest: dict[str, Any]) -> None:
    (path,) = manifest["data_files"]
    read = load_file(toy_bundle.path / path)
    expected = {
        f"{prefix}.{name}": tensor
        for prefix, network in toy_bundle.networks.named().items()
        for name, tensor in network.state_dict().items()
    }
    assert set(read) == set(expected)
    for name, tensor in expected.items():
        assert read[name].dtype == torch.float16
        assert torch.equal(read[name].float(), tensor), name


@pytest.mark.parametrize(("module", "variant"), GRAPHS)
def test_no_weight_lies_in_a_graph(toy_bundle: Any, manifest: dict[str, Any], module: str, variant: str) -> None:
    graph = _graph(toy_bundle.path, manifest, module, variant)
    inline = [tensor for tensor in graph.graph.initializer if tensor.data_location != onnx.TensorProto.EXTERNAL]
    assert all(len(tensor.raw_data) < 1024 for tensor in inline)
    prefixes = tuple(f"{prefix}." for prefix in toy_bundle.networks.named())
    assert not [tensor.name for tensor in inline if tensor.name.startswith(prefixes)]
    assert not [node.name for node in graph.graph.node if node.op_type == "Constant"]


@pytest.mark.parametrize(("module", "variant"), GRAPHS)
def test_every_weight_of_a_module_is_in_its_graph(
    toy_bundle: Any, manifest: dict[str, Any], module: str, variant: str
) -> None:
    prefix = "vae_decoder" if module.startswith("vae") else module
    network = toy_bundle.networks.named()[prefix]
    assert set(_external(_graph(toy_bundle.path, manifest, module, variant))) == {
        f"{prefix}.{name}" for name in network.state_dict()
    }


def test_both_decoder_steps_and_all_variants_refer_to_the_same_bytes(toy_bundle: Any, manifest: dict[str, Any]) -> None:
    stock, *others = (
        _external(_graph(toy_bundle.path, manifest, module, variant))
        for module in ("vae_decoder_first", "vae_decoder_next")
        for variant in ("fp32", "vidrt", "plugin")
    )
    assert others == [stock] * 5
    assert len(manifest["data_files"]) == 1
    assert len(list((toy_bundle.path / "weights").iterdir())) == 1


@pytest.mark.parametrize(("module", "variant_id"), GRAPHS)
def test_a_graph_has_the_opset_inputs_and_outputs_that_the_manifest_declares(
    toy_bundle: Any, manifest: dict[str, Any], module: str, variant_id: str
) -> None:
    variant = _variant(manifest, module, variant_id)
    graph = _graph(toy_bundle.path, manifest, module, variant_id)
    opsets = {"": 22} | ({"vidrt": 1} if variant["custom_ops"] else {})
    assert {entry.domain: entry.version for entry in graph.opset_import} == opsets
    assert variant["opset"] == 22
    for values, declared in ((graph.graph.input, "inputs"), (graph.graph.output, "outputs")):
        shapes = [
            {"name": value.name, "shape": [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]}
            for value in values
        ]
        assert shapes == [{key: spec[key] for key in ("name", "shape")} for spec in variant["tensors"][declared]]


@pytest.mark.parametrize(("module", "variant"), GRAPHS)
def test_parity_is_recorded_within_its_tolerance_over_several_shapes(
    manifest: dict[str, Any], module: str, variant: str
) -> None:
    parity = _variant(manifest, module, variant)["parity"]
    assert 0.0 < parity["max_abs"] <= parity["tolerance"] <= 1e-4
    assert parity["cases"] >= 3


@pytest.mark.parametrize(("module", "variant_id"), [graph for graph in GRAPHS if graph[1] != "plugin"])
def test_parity_holds_at_sizes_that_the_export_did_not_try(
    toy_bundle: Any, manifest: dict[str, Any], module: str, variant_id: str
) -> None:
    spec = next(item for item in bundle_spec(toy_bundle.networks).modules if item.name == module)
    variant = _variant(manifest, module, variant_id)
    session = open_session(toy_bundle.path / variant["file"], custom_ops=bool(variant["custom_ops"]))
    sizes = {"B": 4, "L": 9, "T": 3, "k": 3, "h": 10, "w": 6}
    assert sizes not in spec.cases
    inputs = spec.sample_inputs(sizes, seed=99)
    with torch.no_grad():
        expected = spec.build()(*inputs)
    got = session.run(None, {tensor.name: value.numpy() for tensor, value in zip(spec.inputs, inputs, strict=True)})
    for mine, theirs in zip(got, expected if isinstance(expected, tuple) else (expected,), strict=True):
        assert float(np.abs(theirs.numpy()).max()) > 0.1  # or the comparison would say nothing
        np.testing.assert_allclose(mine, theirs.numpy(), rtol=0, atol=variant["parity"]["tolerance"])
