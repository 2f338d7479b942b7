"""Graphs of one convolution over (1,C,T,H,W), by vidrt's operators and by stock ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from onnx import NodeProto, TensorProto, helper, numpy_helper

FORMS = {
    "plain": "padded to the same size",
    "causal": "causal, with bias and SiLU",
    "separable": "padded to the same size, with bias, SiLU and a 1x1x1 convolution to as many channels",
}
"""What is measured, in words. Causal: frames of zeros in front."""


def graphs(form: str, kernel: tuple[int, int, int], channels: int) -> dict[str, bytes]:
    """The serialised graphs of a form by contender; `vidrt` first."""
    random = np.random.default_rng(0)
    weights = {"w": random.standard_normal((channels, 1, *kernel), np.float32)}
    if form != "plain":
        weights["b"] = random.standard_normal(channels, np.float32)
    if form == "separable":
        weights["pw"] = random.standard_normal((channels, channels, 1, 1, 1), np.float32) / channels**0.5
        weights["pb"] = random.standard_normal(channels, np.float32)
    nodes = {"plain": _plain, "causal": _causal, "separable": _separable}[form](kernel, channels)
    return {name: _model(channels, own, weights) for name, own in nodes.items()}


def _own(operator: str, inputs: Sequence[str], output: str, **attributes: str) -> NodeProto:
    return helper.make_node(operator, list(inputs), [output], domain="vidrt", **attributes)


def _same(kernel: tuple[int, int, int]) -> list[int]:
    return [size // 2 for size in kernel] * 2


def _silu(x: str, y: str) -> list[NodeProto]:
    return [helper.make_node("Sigmoid", [x], ["sigmoid"]), helper.make_node("Mul", [x, "sigmoid"], [y])]


def _plain(kernel: tuple[int, int, int], channels: int) -> dict[str, list[NodeProto]]:
    stock = helper.make_node("Conv", ["x", "w"], ["y"], group=channels, pads=_same(kernel))
    return {"vidrt": [_own("DepthwiseConv3d", ["x", "w"], "y")], "onnxruntime": [stock]}


def _causal(kernel: tuple[int, int, int], channels: int) -> dict[str, list[NodeProto]]:
    pads = [0, 0, kernel[0] - 1, 0, 0, 0, 0, 0, 0, 0]
    constant = numpy_helper.from_array(np.array(pads, np.int64))
    pad = [
        helper.make_node("Constant", [], ["pads"], value=constant),
        helper.make_node("Pad", ["x", "pads"], ["padded"]),
    ]
    padded = "x" if kernel[0] == 1 else "padded"
    space = [0, *_same(kernel)[1:3]] * 2
    conv = helper.make_node("Conv", [padded, "w", "b"], ["c"], group=channels, pads=space)
    own = _own("DepthwiseConv3d", ["x", "w", "b"], "y", temporal_padding="causal", activation="silu")
    return {"vidrt": [own], "onnxruntime": [*(pad if kernel[0] > 1 else []), conv, *_silu("c", "y")]}


def _separable(kernel: tuple[int, int, int], channels: int) -> dict[str, list[NodeProto]]:
    pointwise = helper.make_node("Conv", ["s", "pw", "pb"], ["y"])
    conv = helper.make_node("Conv", ["x", "w", "b"], ["c"], group=channels, pads=_same(kernel))
    return {
        "vidrt": [_own("DepthwiseSeparableConv3d", ["x", "w", "b", "pw", "pb"], "y", activation="silu")],
        "two operators": [_own("DepthwiseConv3d", ["x", "w", "b"], "s", activation="silu"), pointwise],
        "onnxruntime": [conv, *_silu("c", "s"), pointwise],
    }


def _model(channels: int, nodes: list[NodeProto], weights: dict[str, npt.NDArray[np.float32]]) -> bytes:
    shape: list[str | int] = [1, channels, "T", "H", "W"]
    graph = helper.make_graph(
        nodes,
        "convolution",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    opsets = [helper.make_opsetid("", 22), helper.make_opsetid("vidrt", 1)]
    serialised: bytes = helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString()
    return serialised
