"""The operators of the shipped library in ONNX Runtime against PyTorch: the same padding, convolution and activation by
`F.pad`, `F.conv3d` and `torch.nn.functional`, in float64."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper
from torch import Tensor
from torch.nn import functional as F

import vidrt

ACTIVATIONS = {
    "none": lambda y: y,
    "relu": F.relu,
    "silu": F.silu,
    "gelu": F.gelu,
    "gelu_tanh": lambda y: F.gelu(y, approximate="tanh"),
}
ELEMENT = {"float32": TensorProto.FLOAT, "float16": TensorProto.FLOAT16, "bfloat16": TensorProto.BFLOAT16}
TOLERANCE = {"float32": 1e-5, "float16": 2e-3, "bfloat16": 1.6e-2}  # of the larger of 1 and the value


@dataclass(frozen=True)
class Conv:
    """A convolution to try; sizes are (N, C, T, H, W) whatever the layout."""

    x: tuple[int, ...] = (1, 5, 6, 7, 9)
    kernel: tuple[int, int, int] = (3, 3, 3)
    strides: tuple[int, int, int] = (1, 1, 1)
    dilations: tuple[int, int, int] = (1, 1, 1)
    temporal_padding: str = "causal"
    temporal_pad_mode: str = "zeros"
    spatial_padding: str = "same"
    spatial_pad_mode: str = "zeros"
    activation: str = "none"
    data_layout: str = "NCTHW"
    bias: bool = True
    residual: bool = False
    cache_in: bool = False
    cache_out: bool = False
    outputs: int = 0  # of the pointwise convolution; 0: there is none
    output_activation: str = "none"
    dtype: str = "float32"
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def past(self) -> int:
        return (self.kernel[0] - 1) * self.dilations[0]

    def attributes(self) -> dict[str, Any]:
        names = ["temporal_padding", "temporal_pad_mode", "spatial_padding", "spatial_pad_mode", "activation"]
        names += ["data_layout"] + (["output_activation"] if self.outputs else [])
        attributes = {name: getattr(self, name) for name in names} | self.extra
        return attributes | {"strides": self.strides, "dilations": self.dilations}


Tensors = dict[str, Tensor]


def make_tensors(conv: Conv, seed: int = 0) -> Tensors:
    """Random inputs that the element type holds exactly."""
    generator = torch.Generator().manual_seed(seed)
    n, c, _, h, w = conv.x
    shapes: dict[str, Sequence[int]] = {"X": conv.x, "W": (c, 1, *conv.kernel)}
    if conv.bias:
        shapes["B"] = (c,)
    if conv.outputs:
        shapes |= {"PW": (conv.outputs, c), "PB": (conv.outputs,)}
    if conv.cache_in:
        shapes["cache_in"] = (n, c, conv.past, h, w)
    tensors = {name: torch.randn(list(shape), generator=generator) for name, shape in shapes.items()}
    # Sums of many products stay near one, or their rounding would hide a small fault.
    tensors["W"] /= math.prod(conv.kernel) ** 0.5
    if conv.outputs:
        tensors["PW"] /= c**0.5
    tensors = {name: tensor.to(getattr(torch, conv.dtype)).double() for name, tensor in tensors.items()}
    if conv.residual:
        shape = expected(replace(conv, residual=False), tensors)["Y"].shape
        tensors["residual"] = torch.randn(shape, generator=generator).to(getattr(torch, conv.dtype)).double()
    return tensors


def pad(x: Tensor, sizes: list[int], mode: str) -> Tensor:
    return F.pad(x, sizes, mode="replicate") if mode == "replicate" else F.pad(x, sizes)


def expected(conv: Conv, tensors: Tensors) -> Tensors:
    """PyTorch's results: Y, and cache_out where the convolution is causal."""
    reach = [(k - 1) * d for k, d in zip(conv.kernel, conv.dilations, strict=True)]
    x = tensors["X"]
    results: Tensors = {}
    if conv.temporal_padding == "causal":
        x = torch.cat([tensors["cache_in"], x], 2) if conv.cache_in else pad(
            x, [0, 0, 0, 0, reach[0], 0], conv.temporal_pad_mode
        )  # fmt: skip
        results["cache_out"] = x[:, :, x.shape[2] - reach[0] :]
    elif conv.temporal_padding == "same":
        x = pad(x, [0, 0, 0, 0, reach[0] // 2, reach[0] // 2], conv.temporal_pad_mode)
    if conv.spatial_padding == "same":
        x = pad(x, [reach[2] // 2, reach[2] // 2, reach[1] // 2, reach[1] // 2, 0, 0], conv.spatial_pad_mode)
    y = F.conv3d(x, tensors["W"], tensors.get("B"), conv.strides, 0, conv.dilations, groups=conv.x[1])
    y = ACTIVATIONS[conv.activation](y)
    if conv.outputs:
        y = F.conv3d(y, tensors["PW"][:, :, None, None, None], tensors["PB"])
        y = ACTIVATIONS[conv.output_activation](y)
    results["Y"] = y + tensors["residual"] if conv.residual else y
    return results


CLIPS = ("X", "residual", "cache_in")


def to_layout(conv: Conv, tensor: Tensor) -> Tensor:
    return tensor.permute(0, 2, 3, 4, 1) if conv.data_layout == "NTHWC" else tensor


def from_layout(conv: Conv, tensor: Tensor) -> Tensor:
    return tensor.permute(0, 4, 1, 2, 3) if conv.data_layout == "NTHWC" else tensor


def model_of(conv: Conv, names: Sequence[str], weights: Tensors) -> bytes:
    """A model of the one node. Clips go in and out as float32, cast on both sides where the node has another type."""
    element = ELEMENT[conv.dtype]
    positions = ["X", "W", "B", "PW", "PB", "residual", "cache_in"]
    if not conv.outputs:
        positions = [name for name in positions if name not in ("PW", "PB")]
    inner = [name if name in names else "" for name in positions]
    while not inner[-1]:
        inner.pop()
    clips = [name for name in CLIPS if name in names]
    results = ["Y", "cache_out"] if conv.cache_out else ["Y"]
    nodes = [helper.make_node("Cast", [f"{name}_f"], [name], to=element) for name in clips]
    nodes.append(
        helper.make_node(
            "DepthwiseSeparableConv3d" if conv.outputs else "DepthwiseConv3d",
            inner,
            results,
            name="conv",
            domain="vidrt",
            **conv.attributes(),
        )
    )
    nodes += [helper.make_node("Cast", [name], [f"{name}_f"], to=TensorProto.FLOAT) for name in results]
    initializers = [
        helper.make_tensor(name, element, weight.shape, weight.flatten().tolist()) for name, weight in weights.items()
    ]

    def values(names: Sequence[str]) -> list[onnx.ValueInfoProto]:
        return [helper.make_tensor_value_info(f"{name}_f", TensorProto.FLOAT, None) for name in names]

    graph = helper.make_graph(nodes, "conv", values(clips), values(results), initializers)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("vidrt", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString()


def session_of(model: bytes, threads: int = 1) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = threads
    options.register_custom_ops_library(str(vidrt.custom_ops_library()))
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


class Runner:
    """A convolution in a session of its own, with constant weights."""

    def __init__(self, conv: Conv, tensors: Tensors) -> None:
        self.conv = conv
        weights = {name: tensor for name, tensor in tensors.items() if name not in CLIPS}
        self.session = session_of(model_of(conv, list(tensors), weights), threads=2)

    def __call__(self, tensors: Tensors) -> Tensors:
        feeds = {
            f"{name}_f": np.ascontiguousarray(to_layout(self.conv, tensors[name]).float().numpy())
            for name in CLIPS
            if name in tensors
        }
        names = [output.name for output in self.session.get_outputs()]
        got = self.session.run(names, feeds)
        return {
            name.removesuffix("_f"): from_layout(self.conv, torch.from_numpy(value)).double()
            for name, value in zip(names, got, strict=True)
        }


def check(conv: Conv, seed: int = 0) -> None:
    tensors = make_tensors(conv, seed)
    got = Runner(conv, tensors)(tensors)
    wanted = expected(conv, tensors)
    assert got["Y"].shape == wanted["Y"].shape
    error = ((got["Y"] - wanted["Y"]).abs() / wanted["Y"].abs().clamp(min=1)).max().item()
    assert error <= TOLERANCE[conv.dtype], f"{conv}: off by {error}"
    if conv.cache_out:
        assert torch.equal(got["cache_out"], wanted["cache_out"]), conv


def random_conv(seed: int) -> Conv:
    """One of each attribute's values by chance; over the seeds of the test every value comes up many times."""
    pick = random.Random(seed)
    temporal = pick.choice(["causal", "same", "valid"])
    kernel = pick.choice([(3, 3, 3), (3, 3, 3), (5, 5, 5), (3, 1, 1), (1, 3, 3), (7, 3, 5)])
    with_cache = temporal == "causal" and kernel[0] > 1
    dilations = pick.choice([(1, 1, 1), (1, 1, 1), (2, 1, 1), (1, 2, 2)])
    room = [(k - 1) * d for k, d in zip(kernel, dilations, strict=True)]
    sizes = [pick.randint(1, 4) + (room[0] if temporal == "valid" else 0)]
    sizes += [pick.randint(1, 9) + lost for lost in room[1:]]
    return Conv(
        x=(pick.choice([1, 2]), pick.choice([1, 3, 17]), *sizes),
        kernel=kernel,
        strides=pick.choice([(1, 1, 1), (1, 1, 1), (2, 1, 2), (1, 3, 1)]),
        dilations=dilations,
        temporal_padding=temporal,
        temporal_pad_mode=pick.choice(["zeros", "replicate"]),
        spatial_padding=pick.choice(["same", "valid"]),
        spatial_pad_mode=pick.choice(["zeros", "replicate"]),
        activation=pick.choice(list(ACTIVATIONS)),
        data_layout=pick.choice(["NCTHW", "NTHWC"]),
        bias=pick.random() < 0.6,
        residual=pick.random() < 0.4,
        cache_in=with_cache and pick.random() < 0.5,
        cache_out=with_cache and pick.random() < 0.5,
        outputs=pick.choice([0, 0, 1, 6]),
        output_activation=pick.choice(list(ACTIVATIONS)),
    )


@pytest.mark.parametrize("block", range(10))
def test_every_attribute_gives_pytorchs_results(block: int) -> None:
    for seed in range(12 * block, 12 * block + 12):
        check(random_conv(seed), seed)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("data_layout", ["NCTHW", "NTHWC"])
def test_narrow_element_types_give_pytorchs_results_rounded_once(dtype: str, data_layout: str) -> None:
    conv = Conv(dtype=dtype, data_layout=data_layout, activation="silu", residual=True, cache_in=True, cache_out=True)
    check(conv)
    check(replace(conv, outputs=4, output_activation="gelu"))


@pytest.mark.parametrize("activation", list(ACTIVATIONS))
def test_the_activation_comes_before_the_residual(activation: str) -> None:
    check(Conv(activation=activation, residual=True))
    check(Conv(activation="none", output_activation=activation, residual=True, outputs=3))


def test_what_tensorrt_needs_in_a_node_is_no_obstacle() -> None:
    check(Conv(extra={"plugin_version": "1", "plugin_namespace": "vidrt"}))


# --- Any split of a clip into calls gives what one call gives ---


def run_in_chunks(conv: Conv, chunks: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Y of one call over the whole clip, and of calls over chunks of it with the caches passed on."""
    tensors = make_tensors(replace(conv, x=(*conv.x[:2], sum(chunks), *conv.x[3:])))
    whole = Runner(conv, tensors)(tensors)["Y"]
    first = Runner(replace(conv, cache_out=True), tensors)
    shape = (conv.x[0], conv.x[1], conv.past, *conv.x[3:])
    following = Runner(replace(conv, cache_in=True, cache_out=True), tensors | {"cache_in": torch.zeros(shape)})
    pieces, cache, start = [], None, 0
    for size in chunks:
        chunk = tensors | {"X": tensors["X"][:, :, start : start + size]}
        got = first(chunk) if cache is None else following(chunk | {"cache_in": cache})
        pieces.append(got["Y"])
        cache = got["cache_out"]
        start += size
    return whole, torch.cat(pieces, 2)


@pytest.mark.parametrize("outputs", [0, 4])
@pytest.mark.parametrize("data_layout", ["NCTHW", "NTHWC"])
@pytest.mark.parametrize("temporal_pad_mode", ["zeros", "replicate"])
@pytest.mark.parametrize("chunks", [[1, 4, 4], [1, 8], [9], [1] * 9, [2, 7], [3, 1, 5]])
def test_any_split_of_a_clip_gives_the_same_frames(
    chunks: list[int], temporal_pad_mode: str, data_layout: str, outputs: int
) -> None:
    conv = Conv(
        kernel=(3, 3, 3), dilations=(2, 1, 1), temporal_pad_mode=temporal_pad_mode, data_layout=data_layout,
        activation="silu", outputs=outputs,
    )  # fmt: skip
    whole, joined = run_in_chunks(conv, chunks)
    torch.testing.assert_close(joined, whole, rtol=0, atol=1e-6)


@pytest.mark.parametrize("chunks", [[2, 4, 3], [8, 1], [2, 2, 2, 2, 1]])
def test_a_stride_in_time_allows_splits_between_its_steps(chunks: list[int]) -> None:
    whole, joined = run_in_chunks(Conv(kernel=(5, 1, 3), strides=(2, 1, 1)), chunks)
    torch.testing.assert_close(joined, whole, rtol=0, atol=1e-6)


# --- What is wrong is named ---


@pytest.mark.parametrize(
    ("conv", "change", "said"),
    [
        (Conv(), {"X": torch.zeros(1, 5, 6, 7)}, ["X: got the shape (1,5,6,7)", "5 dimensions (N,C,T,H,W)"]),
        (Conv(), {"X": torch.zeros(1, 4, 6, 7, 9)}, ["W: got the shape (5,1,3,3,3)", "C = 4 channels"]),
        (Conv(), {"X": torch.zeros(1, 5, 0, 7, 9)}, ["X: got the shape (1,5,0,7,9)", "at least 1"]),
        (Conv(), {"B": torch.zeros(4)}, ["B: got 4 values", "expected 5"]),
        (Conv(spatial_padding="same"), {"W": torch.zeros(5, 1, 3, 4, 3)}, ["W: got 4 taps along height", "odd"]),
        (Conv(temporal_padding="valid"), {"X": torch.zeros(1, 5, 2, 7, 9)}, ["X: got 2 positions along time", "3"]),
        (Conv(cache_in=True), {"cache_in": torch.zeros(1, 5, 3, 7, 9)}, ["cache_in: got the shape (1,5,3,7,9)", "2"]),
        (Conv(residual=True), {"residual": torch.zeros(1, 5, 5, 7, 9)}, ["residual: got the shape", "(1,5,6,7,9)"]),
        (Conv(outputs=3), {"PW": torch.zeros(3, 4)}, ["PW: got the shape (3,4)", "C = 5"]),
        (Conv(outputs=3), {"PB": torch.zeros(2)}, ["PB: got 2 values", "expected 3"]),
        (Conv(temporal_padding="same", cache_out=True), {}, ["cache", "'causal'"]),
        (Conv(extra={"temporal_padding": "past"}), {}, ["attribute temporal_padding: got 'past'", "causal"]),
        (Conv(strides=(0, 1, 1)), {}, ["attribute strides: got 0 along time"]),
        (Conv(strides=(1, 1)), {}, ["attribute strides: got 2 integers, expected 3"]),  # type: ignore[arg-type]
    ],
)  # fmt: skip
def test_bad_input_is_an_error_that_names_the_input(conv: Conv, change: Tensors, said: list[str]) -> None:
    tensors = make_tensors(conv) | change
    with pytest.raises(Exception, match="'conv'") as caught:  # ONNX Runtime's classes are many
        Runner(conv, tensors)(tensors)
    for part in ["vidrt::Depthwise", *said]:
        assert part in str(caught.value)
