"""Graphs as the exporter writes them for TensorRT, in TensorRT's own parser."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("torch", reason="exporting needs torch (`make setup` installs it)")

import onnx_ir as ir

from vidrt.export import graph_passes
from vidrt.export.models.pocket import bundle_spec
from vidrt.export.pocket.checkpoint import random_networks
from vidrt.export.pocket.config import TOY
from vidrt.export.spec import Precision
from vidrt.export.to_onnx import trace
from vidrt.export.variants import stock_graph, with_custom_ops, with_low_precision


@pytest.fixture(scope="module")
def stock_graphs() -> dict[str, ir.Model]:
    """The graphs of pocket's modules, weights inside."""
    graphs = {}
    for spec in bundle_spec(random_networks(TOY, seed=1)).modules:
        graphs[spec.name] = trace(spec, spec.build().eval())
        graph_passes.clean(graphs[spec.name], ())
    return graphs


@pytest.mark.parametrize(("separable", "precision"), [(True, "fp32"), (False, "fp32"), (True, "fp16"), (True, "bf16")])
def test_every_operator_becomes_a_plugin_layer_of_the_shape_that_the_graph_declares(
    probe: Callable[..., dict[str, Any]], stock_graphs: dict[str, ir.Model], separable: bool, precision: Precision
) -> None:
    graphs = {}
    for name, model in stock_graphs.items():
        made = with_custom_ops(stock_graph(model), (), separable=separable)
        for variant in with_low_precision(made, [precision], ()).variants:
            if variant.for_plugins and variant.precision == precision:
                graphs[name] = variant.model
    assert set(graphs) == set(stock_graphs) - {"text_encoder"}
    files = [base64.b64encode(ir.to_proto(model).SerializeToString()).decode() for model in graphs.values()]
    for model, parsed in zip(graphs.values(), probe(models=files)["parsed"], strict=True):
        assert parsed["ok"], parsed["errors"]
        layers = [layer for layer in parsed["layers"] if layer["type"] == "PLUGIN_V3"]
        found = {tensor["name"]: tensor["shape"] for layer in layers for tensor in layer["outputs"]}
        dtypes = {tensor["dtype"] for layer in layers for tensor in layer["outputs"]}
        assert dtypes == {{"fp32": "FLOAT", "fp16": "HALF", "bf16": "BF16"}[precision]}
        nodes = [node for node in model.graph if node.domain == "vidrt"]
        assert len(layers) == len(nodes) > 0
        assert found == {value.name: declared(value) for node in nodes for value in node.outputs}


def declared(value: ir.Value) -> list[int]:
    """The shape in the graph, sizes that are not known as TensorRT gives them."""
    assert value.shape is not None
    return [size if isinstance(size, int) else -1 for size in value.shape]
