"""The plugin library inside TensorRT itself: its registry and its ONNX parser, on a machine without a GPU."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="onnx is not installed (`make setup` installs it)")
helper, TensorProto = onnx.helper, onnx.TensorProto

Probe = Callable[..., dict[str, Any]]
Dims = list[int | str]

DEPTHWISE, SEPARABLE = "DepthwiseConv3d", "DepthwiseSeparableConv3d"
CHANNELS, OUTPUTS = 16, 24
WEIGHTS = {"w": (CHANNELS, 1, 3, 3, 3), "b": (CHANNELS,), "pw": (OUTPUTS, CHANNELS), "pb": (OUTPUTS,)}
ATTRIBUTES: dict[str, Any] = {
    "plugin_version": "1",
    "plugin_namespace": "vidrt",
    "strides": [1, 1, 1],
    "dilations": [1, 1, 1],
    "temporal_padding": "causal",
    "temporal_pad_mode": "zeros",
    "spatial_padding": "same",
    "spatial_pad_mode": "zeros",
    "activation": "silu",
    "data_layout": "NCTHW",
    "has_bias": 0,
    "has_residual": 0,
    "has_cache_in": 0,
    "has_cache_out": 0,
}


def node(op: str, inputs: list[str], outputs: list[str], **attributes: Any) -> onnx.NodeProto:
    """A node in the form that the graph pass writes."""
    more = {"output_activation": "none", "has_pointwise_bias": 0} if op == SEPARABLE else {}
    return helper.make_node(op, inputs, outputs, outputs[0], domain="vidrt", **{**ATTRIBUTES, **more, **attributes})


def model(nodes: list[onnx.NodeProto], inputs: dict[str, Dims], dtype: int = TensorProto.FLOAT) -> str:
    """An ONNX file with these nodes and inputs, every output that nobody reads, and the weights that they name."""
    read = {name for one in nodes for name in one.input}
    results = [name for one in nodes for name in one.output if name not in read]
    weights = [
        onnx.numpy_helper.from_array(np.ones(shape, np.float32), name)
        if dtype == TensorProto.FLOAT
        else helper.make_tensor(name, dtype, shape, np.ones(np.prod(shape)))
        for name, shape in WEIGHTS.items()
        if name in read
    ]
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info(name, dtype, dims) for name, dims in inputs.items()],
        [helper.make_tensor_value_info(name, dtype, None) for name in results],
        weights,
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("vidrt", 1)]
    return base64.b64encode(helper.make_model(graph, opset_imports=opsets).SerializeToString()).decode()


def plugin_outputs(parsed: dict[str, Any]) -> dict[str, tuple[list[int], str]]:
    """Shape and type of each output of each plugin layer."""
    assert parsed["ok"], parsed["errors"]
    return {
        tensor["name"]: (tensor["shape"], tensor["dtype"])
        for layer in parsed["layers"]
        if layer["type"] == "PLUGIN_V3"
        for tensor in layer["outputs"]
    }


def streaming_pair() -> list[onnx.NodeProto]:
    """A causal convolution with both caches, and a strided separable one with every optional input after it."""
    first = node(DEPTHWISE, ["x", "w", "b", "cache"], ["y", "cache_out"], has_bias=1, has_cache_in=1, has_cache_out=1)
    second = node(
        SEPARABLE, ["y", "w", "b", "pw", "pb", "residual"], ["z"], strides=[1, 2, 2], has_bias=1, has_pointwise_bias=1,
        has_residual=1,
    )  # fmt: skip
    return [first, second]


def test_the_registry_lists_both_creators_with_their_fields(probe: Probe) -> None:
    creators = {creator["name"]: creator for creator in probe()["creators"]}
    assert set(creators) == {DEPTHWISE, SEPARABLE}
    for name, creator in creators.items():
        assert (creator["version"], creator["namespace"]) == ("1", "vidrt")
        written = {attribute.name for attribute in node(name, ["x"], ["y"]).attribute}
        assert set(creator["fields"]) == written - {"plugin_version", "plugin_namespace"}


def test_plugins_are_created_from_good_fields_and_not_from_bad_ones(probe: Probe) -> None:
    cases: list[tuple[dict[str, Any], list[str]]] = [
        ({}, []),
        ({"strides": [1, 2, 2], "temporal_padding": "causal", "has_cache_out": [1]}, []),
        ({"stride": [1, 1, 1]}, ["'stride'", "expected one of strides"]),
        ({"strides": [1, 1]}, ["'strides'", "got 2 numbers, expected 3"]),
        ({"dilations": [1, 0, 1]}, ["dilations", "got 0 along height"]),
        ({"activation": "swish"}, ["'activation'", "'swish'", "silu"]),
        ({"activation": [1]}, ["'activation'", "expected characters"]),
        ({"has_cache_in": [1]}, ["has_cache_in", "'causal'"]),
    ]
    result = probe(create=[{"op": DEPTHWISE, "fields": fields} for fields, _ in cases])
    assert result["created"] == [not words for _, words in cases]
    refused = [words for _, words in cases if words]
    assert len(result["log"]) == len(refused)
    for message, words in zip(result["log"], refused, strict=True):
        assert all(word in message for word in ["vidrt::DepthwiseConv3d", "'made'", *words]), message


@pytest.mark.parametrize("dtype", [TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16])
def test_dynamic_shapes_reach_the_layers(probe: Probe, dtype: int) -> None:
    inputs: dict[str, Dims] = {
        "x": ["N", CHANNELS, "T", "H", "W"],
        "cache": ["N", CHANNELS, 2, "H", "W"],
        "residual": ["N", OUTPUTS, "T", "h", "w"],
    }
    outputs = plugin_outputs(probe(models=[model(streaming_pair(), inputs, dtype)])["parsed"][0])
    name = {TensorProto.FLOAT: "FLOAT", TensorProto.FLOAT16: "HALF", TensorProto.BFLOAT16: "BF16"}[dtype]
    assert outputs == {
        "y": ([-1, CHANNELS, -1, -1, -1], name),
        "cache_out": ([-1, CHANNELS, 2, -1, -1], name),
        "z": ([-1, OUTPUTS, -1, -1, -1], name),
    }


def test_known_shapes_are_worked_out(probe: Probe) -> None:
    valid = node(DEPTHWISE, ["x", "w"], ["v"], temporal_padding="valid", spatial_padding="valid", strides=[2, 1, 3])
    last = node(DEPTHWISE, ["l", "w"], ["m"], data_layout="NTHWC", temporal_padding="same", dilations=[1, 2, 2])
    result = probe(
        models=[
            model(
                streaming_pair(),
                {"x": [2, 16, 5, 9, 13], "cache": [2, 16, 2, 9, 13], "residual": [2, OUTPUTS, 5, 5, 7]},
            ),
            model([valid], {"x": [1, 16, 8, 9, 12]}),
            model([last], {"l": [1, 4, 6, 7, 16]}),
        ]
    )
    shapes = [{name: shape for name, (shape, _) in plugin_outputs(one).items()} for one in result["parsed"]]
    assert shapes == [
        {"y": [2, 16, 5, 9, 13], "cache_out": [2, 16, 2, 9, 13], "z": [2, OUTPUTS, 5, 5, 7]},
        {"v": [1, 16, 3, 7, 4]},
        {"m": [1, 4, 6, 7, 16]},
    ]


def test_graphs_that_do_not_fit_are_refused_with_our_message(probe: Probe) -> None:
    x: Dims = [1, CHANNELS, "T", 8, 8]
    cases = [
        # A bias that the flags do not tell of, and an absent input, which the parser hands over all the same.
        ([node(DEPTHWISE, ["x", "w", "b"], ["y"])], {"x": x}, "got 3 inputs, expected 2 (X, W)"),
        ([node(DEPTHWISE, ["x", "w", "", "c"], ["y"], has_cache_in=1)], {"x": x, "c": x}, "got 4 inputs, expected 3"),
        ([node(DEPTHWISE, ["x", "pw"], ["y"])], {"x": x}, "W: got 2 dimensions, expected 5"),
        ([node(DEPTHWISE, ["x", "w"], ["y"])], {"x": [1, 8, "T", 8, 8]}, "W: got the shape (16,1,3,3,3)"),
        ([node(DEPTHWISE, ["x", "w", "x"], ["y"], has_residual=1, strides=[1, 2, 1])], {"x": x},
         "residual: got 8 along height, expected 4"),
        ([node(DEPTHWISE, ["x", "w", "c"], ["y"], has_cache_in=1)], {"x": x, "c": [1, CHANNELS, 3, 8, 8]},
         "cache_in: got 3 along time, expected 2"),
        ([node(DEPTHWISE, ["x", "w"], ["y"], activation="swish")], {"x": x}, "got 'swish'"),
    ]  # fmt: skip
    for nodes, inputs, expected in cases:
        result = probe(models=[model(nodes, inputs)])
        assert not result["parsed"][0]["ok"], expected
        assert any(expected in message and "'y'" in message for message in result["log"]), result["log"]


def test_the_library_exports_what_tensorrt_looks_for_and_no_more(plugin_library: Path) -> None:
    command = ["nm", "--dynamic", "--defined-only", "--format=posix", str(plugin_library)]
    symbols = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert {line.split()[0] for line in symbols.splitlines()} == {"getCreators", "setLoggerFinder"}
