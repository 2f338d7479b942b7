"""What a graph costs at concrete sizes, by hand: operations of each operator, kernels, bytes, and shapes on the way."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vidrt.engine.errors import BackendError, BundleError
from vidrt.engine.predict.graph import sized_graph
from vidrt.engine.predict.kernels import GraphCost, graph_cost

onnx = pytest.importorskip("onnx", reason="the graphs are made with onnx, which the extra `predict` brings")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

FLOAT, HALF = TensorProto.FLOAT, TensorProto.FLOAT16
Shape = tuple[int, ...]
Made = Callable[..., Path]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """Write a graph of nodes with inputs and weights of given shapes; the file of the weights is missing."""

    def make(
        nodes: list[Any],
        inputs: dict[str, Shape],
        weights: dict[str, Shape] | None = None,
        constants: dict[str, Any] | None = None,
        outputs: tuple[str, ...] = ("y",),
        kind: int = FLOAT,
    ) -> Path:
        external = [external_weight(name, shape, kind) for name, shape in (weights or {}).items()]
        known = [numpy_helper.from_array(np.asarray(value), name) for name, value in (constants or {}).items()]
        graph = helper.make_graph(
            nodes,
            "graph",
            [helper.make_tensor_value_info(name, kind, [f"{name}{axis}" for axis in range(len(shape))])
             for name, shape in inputs.items()],
            [helper.make_tensor_value_info(name, kind, None) for name in outputs],
            [*external, *known],
        )  # fmt: skip
        opsets = [
            helper.make_opsetid(domain, version) for domain, version in (("", 22), ("vidrt", 1), ("com.microsoft", 1))
        ]
        path = tmp_path / "graph.onnx"
        path.write_bytes(helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString())
        return path

    return make


def external_weight(name: str, shape: Shape, kind: int) -> Any:
    weight = TensorProto(name=name, data_type=kind, dims=shape, data_location=TensorProto.EXTERNAL)
    weight.external_data.add(key="location", value="nowhere.bin")
    return weight


def cost(path: Path, shapes: dict[str, Shape], *, fused_attention: bool = True) -> GraphCost:
    return graph_cost(sized_graph(path, shapes), fused_attention=fused_attention)


def node(op: str, inputs: list[str], output: str = "y", **attributes: Any) -> Any:
    domain, _, name = op.rpartition("::")
    return helper.make_node(name, inputs, [output], domain=domain, **attributes)


X5 = (2, 32, 4, 6, 8)  # N, C, T, H, W
OUT5 = 2 * 4 * 6 * 8  # positions of X5
# operator, attributes, shape of x, shapes of weights, shape of y, operations of matrix and vector units
OPERATORS = [
    ("Conv", {"pads": [1] * 6}, X5, [(16, 32, 3, 3, 3)], (2, 16, 4, 6, 8), 2 * 16 * OUT5 * 32 * 27, 0),
    ("Conv", {"pads": [1] * 6, "group": 2}, X5, [(16, 16, 3, 3, 3)], (2, 16, 4, 6, 8), 2 * 16 * OUT5 * 16 * 27, 0),
    ("Conv", {"pads": [1] * 6, "group": 32}, X5, [(32, 1, 3, 3, 3)], X5, 0, 2 * 32 * OUT5 * 27),
    ("Conv", {"strides": [2, 2]}, (1, 3, 9, 9), [(8, 3, 3, 3)], (1, 8, 4, 4), 2 * 8 * 16 * 3 * 9, 0),
    ("ConvTranspose", {"strides": [2, 2]}, (1, 16, 5, 7), [(16, 8, 2, 2)], (1, 8, 10, 14), 2 * 16 * 35 * 8 * 4, 0),
    ("MatMul", {}, (3, 5, 16), [(16, 24)], (3, 5, 24), 2 * 15 * 16 * 24, 0),
    ("Gemm", {"transB": 1}, (5, 16), [(24, 16), (24,)], (5, 24), 2 * 5 * 16 * 24, 0),
    ("Gemm", {"transA": 1}, (16, 5), [(16, 24)], (5, 24), 2 * 5 * 16 * 24, 0),
    ("com.microsoft::MatMulNBits", {"K": 64, "N": 24, "bits": 8, "block_size": 32}, (3, 5, 64), [(24, 2, 32), (48,)],
     (3, 5, 24), 2 * 15 * 64 * 24, 0),
    ("vidrt::DepthwiseConv3d", {"temporal_padding": "causal"}, X5, [(32, 1, 3, 3, 3)], X5, 0, 2 * 32 * OUT5 * 27),
    ("vidrt::DepthwiseConv3d", {"strides": [1, 2, 2], "spatial_padding": "valid", "dilations": [1, 2, 1]}, X5,
     [(32, 1, 3, 3, 3)], (2, 32, 4, 1, 3), 0, 2 * 2 * 32 * 4 * 1 * 3 * 27),
    ("vidrt::DepthwiseSeparableConv3d", {}, X5, [(32, 1, 3, 3, 3), (32,), (16, 32)], (2, 16, 4, 6, 8),
     2 * OUT5 * 32 * 16, 2 * 32 * OUT5 * 27),
    ("vidrt::DepthwiseConv3d", {"data_layout": "NTHWC"}, (2, 4, 6, 8, 32), [(32, 1, 1, 3, 3)], (2, 4, 6, 8, 32), 0,
     2 * 32 * OUT5 * 9),
    ("com.microsoft::RotaryEmbedding", {}, (2, 6, 16), [(2, 6), (8, 4), (8, 4)], (2, 6, 16), 0, 0),
    ("LayerNormalization", {}, (2, 6, 16), [(16,), (16,)], (2, 6, 16), 0, 0),
    ("GroupNormalization", {"num_groups": 4}, X5, [(32,), (32,)], X5, 0, 0),
    ("Softmax", {}, (2, 6, 16), [], (2, 6, 16), 0, 0),
    ("Gelu", {}, (2, 6, 16), [], (2, 6, 16), 0, 0),
    ("Transpose", {"perm": [0, 2, 1]}, (2, 6, 16), [], (2, 16, 6), 0, 0),
]  # fmt: skip


@pytest.mark.parametrize(("op", "attributes", "x", "weights", "y", "matrix", "vector"), OPERATORS)
def test_operations_and_bytes_of_an_operator_are_those_by_hand(made, op, attributes, x, weights, y, matrix, vector):
    named = {f"w{index}": shape for index, shape in enumerate(weights)}
    path = made([node(op, ["x", *named], **attributes)], {"x": x}, named)
    graph = sized_graph(path, {"x": x})
    assert graph.tensors["y"].shape == y
    (kernel,) = graph_cost(graph, fused_attention=True).kernels
    assert (kernel.operations.matrix, kernel.operations.vector) == (matrix, vector)
    assert kernel.bytes == 4 * (math.prod(x) + math.prod(y) + sum(math.prod(shape) for shape in weights))
    assert (kernel.op, kernel.precision) == (op, "fp32")


@pytest.mark.parametrize(
    ("shapes", "expected"),
    [
        # (B, L, D): two products of 2 B Lq Lk D
        ({"q": (2, 10, 32), "k": (2, 7, 32), "v": (2, 7, 32)}, 4 * 2 * 10 * 7 * 32),
        ({"q": (2, 10, 32), "k": (2, 7, 32), "v": (2, 7, 48)}, 2 * 2 * 10 * 7 * (32 + 48)),
        ({"q": (2, 10, 32), "k": (2, 4, 7, 8), "v": (2, 4, 7, 8)}, 4 * 2 * 10 * 7 * 32),
        ({"q": (2, 10, 4, 3, 8)}, 4 * 2 * 10 * 10 * 32),
    ],
)
def test_fused_attention_is_two_products_with_all_keys(made, shapes, expected):
    graph = sized_graph(made([node("com.microsoft::MultiHeadAttention", list(shapes), num_heads=4)], shapes), shapes)
    assert graph.tensors["y"].shape == (2, 10, 48 if shapes.get("v", (0,))[-1] == 48 else 32)
    assert graph_cost(graph, fused_attention=True).flops == expected


def attention_nodes() -> list[Any]:
    """Attention as exporters write it: scaled queries, transposed keys, a mask."""
    return [
        node("Transpose", ["k"], "kt", perm=[0, 1, 3, 2]),
        node("MatMul", ["q", "kt"], "scores"),
        node("Mul", ["scores", "scale"], "scaled"),
        node("Add", ["scaled", "mask"], "masked"),
        node("Softmax", ["masked"], "weights", axis=-1),
        node("MatMul", ["weights", "v"]),
    ]


ATTENTION = {"q": (2, 4, 64, 16), "k": (2, 4, 64, 16), "v": (2, 4, 64, 16), "mask": (2, 1, 64, 64)}


@pytest.mark.parametrize("kind", [HALF, FLOAT])
def test_attention_in_plain_operators_is_one_kernel_in_half_precision_only(made, kind):
    constants = {"scale": np.array(0.25, np.float16 if kind == HALF else np.float32)}
    path = made(attention_nodes(), ATTENTION, constants=constants, kind=kind)
    found = cost(path, ATTENTION)
    item, heads, scores = (
        (2, 2 * 4 * 64 * 16, 2 * 4 * 64 * 64) if kind == HALF else (4, 2 * 4 * 64 * 16, 2 * 4 * 64 * 64)
    )
    assert found.flops == 2 * 2 * 2 * 4 * 64 * 64 * 16
    mask = 2 * 64 * 64
    if kind == HALF:
        assert [kernel.op for kernel in found.kernels] == ["Transpose", "MatMul"]
        assert found.kernels[1].bytes == item * (4 * heads + mask + 1)
        assert found.working_bytes == item * heads  # the transposed keys
    else:
        assert [kernel.op for kernel in found.kernels] == ["Transpose", "MatMul", "Softmax", "MatMul"]
        assert found.bytes == item * (2 * heads + 2 * heads + mask + 1 + scores + 2 * scores + scores + 2 * heads)
        assert found.working_bytes == item * 2 * scores
    unfused = cost(path, ATTENTION, fused_attention=False)
    assert len(unfused.kernels) == 4


@pytest.mark.parametrize(("head", "kernels"), [(256, 2), (384, 4)])
def test_attention_of_wide_heads_is_not_one_kernel(made, head, kernels):
    shapes = {name: (*shape[:3], head if name != "mask" else 64) for name, shape in ATTENTION.items()}
    path = made(attention_nodes(), shapes, constants={"scale": np.array(0.25, np.float16)}, kind=HALF)
    assert len(cost(path, shapes).kernels) == kernels


def test_pointwise_operators_join_what_is_made_for_them_alone(made):
    nodes = [
        node("MatMul", ["x", "w"], "product"),
        node("Add", ["product", "bias"], "sum"),
        node("Sigmoid", ["sum"], "gate"),  # sum is read twice, so it is written
        node("Mul", ["sum", "gate"], "silu"),
        node("Reshape", ["silu", "shape"], "flat"),
        node("Add", ["flat", "residual"]),
    ]
    shapes = {"x": (8, 16), "residual": (4, 64)}
    path = made(nodes, shapes, {"w": (16, 32), "bias": (32,)}, {"shape": np.array([4, 64])})
    found = cost(path, shapes)
    assert [kernel.op for kernel in found.kernels] == ["MatMul", "Sigmoid"]
    assert [kernel.bytes // 4 for kernel in found.kernels] == [8 * 16 + 16 * 32 + 32 + 8 * 32, 8 * 32 + 4 * 64 + 4 * 64]
    assert found.working_bytes == 4 * 8 * 32


def test_views_and_what_depends_on_weights_and_sizes_alone_cost_nothing(made):
    nodes = [
        node("Cast", ["w"], "wide", to=FLOAT),
        node("Transpose", ["wide"], "turned", perm=[1, 0]),
        node("Shape", ["x"], "sizes"),
        node("Gather", ["sizes", "first"], "rows"),
        node("Range", ["zero", "rows", "one"], "positions"),
        node("Cast", ["positions"], "places", to=FLOAT),
        node("Unsqueeze", ["places", "last"], "column"),
        node("Expand", ["column", "wanted"], "table"),
        node("MatMul", ["x", "turned"], "product"),
        node("Add", ["product", "table"]),
    ]
    constants = {name: np.array(value) for name, value in
                 (("first", 0), ("zero", 0), ("one", 1), ("last", [1]), ("wanted", [1, 32]))}  # fmt: skip
    weight = {"w": (32, 16)}
    found = cost(made(nodes, {"x": (8, 16)}, weight, constants), {"x": (8, 16)})
    (kernel,) = found.kernels
    assert kernel.op == "MatMul"
    assert kernel.bytes == 4 * (8 * 16 + 16 * 32 + 8 * 32 + 8 * 32)


def test_few_numbers_that_many_need_are_made_first(made):
    nodes = [node("MatMul", ["x", "w"], "gate"), node("Mul", ["residual", "gate"])]
    shapes = {"x": (8, 16), "residual": (8, 32)}
    found = cost(made(nodes, shapes, {"w": (16, 1)}), shapes)
    assert [kernel.op for kernel in found.kernels] == ["MatMul", "Mul"]
    assert found.kernels[1].bytes == 4 * (8 * 32 + 8 + 8 * 32)


def test_what_the_graph_gives_is_written_though_one_node_reads_it(made):
    nodes = [node("MatMul", ["x", "w"], "product"), node("Relu", ["product"])]
    path = made(nodes, {"x": (8, 16)}, {"w": (16, 32)}, outputs=("y", "product"))
    found = cost(path, {"x": (8, 16)})
    assert [kernel.bytes // 4 for kernel in found.kernels] == [8 * 16 + 16 * 32 + 8 * 32, 2 * 8 * 32]
    assert found.working_bytes == 0  # outputs are planned tensors


def test_a_cast_that_widens_is_its_readers_and_one_that_narrows_its_makers(made):
    nodes = [
        node("MatMul", ["x", "w"], "product"),
        node("Cast", ["product"], "wide", to=FLOAT),
        node("Sin", ["wide"], "sin"),
        node("Mul", ["sin", "wide"], "both"),
        node("Cast", ["both"], to=HALF),
    ]
    found = cost(made(nodes, {"x": (8, 16)}, {"w": (16, 32)}, kind=HALF), {"x": (8, 16)})
    assert [kernel.op for kernel in found.kernels] == ["MatMul", "Sin"]
    assert [kernel.bytes // 2 for kernel in found.kernels] == [8 * 16 + 16 * 32 + 8 * 32, 8 * 32 + 8 * 32]
    assert found.working_bytes == 2 * 8 * 32


def test_a_slice_reads_what_it_gives(made):
    constants = {"start": np.array([2]), "end": np.array([4]), "axis": np.array([0])}
    path = made([node("Slice", ["x", "start", "end", "axis"])], {"x": (100, 8)}, constants=constants)
    assert cost(path, {"x": (100, 8)}).bytes == 2 * 4 * 2 * 8 + 3 * 8


def test_sizes_are_followed_through_arithmetic_on_shapes(made):
    nodes = [
        node("Shape", ["x"], "sizes"),
        node("Slice", ["sizes", "zero", "two"], "lead"),
        node("Shape", ["x"], "width", start=2),
        node("Div", ["width", "heads"], "size"),
        node("Concat", ["lead", "heads", "size"], "split", axis=0),
        node("Reshape", ["x", "split"], "heads_last"),
        node("Transpose", ["heads_last"], perm=[0, 2, 1, 3]),
    ]
    constants = {"zero": np.array([0]), "two": np.array([2]), "heads": np.array([4])}
    path = made(nodes, {"x": (2, 10, 32)}, constants=constants)
    assert sized_graph(path, {"x": (2, 10, 32)}).tensors["y"].shape == (2, 4, 10, 8)
    assert sized_graph(path, {"x": (3, 11, 64)}).tensors["y"].shape == (3, 4, 11, 16)


def test_a_transformers_operations_are_its_formula(made):
    """2 x weights x tokens, and 4 L² D a layer for attention."""
    layers, batch, length, width = 3, 2, 24, 32
    nodes, weights, x = [], {}, "x"
    for layer in range(layers):

        def name(part: str, layer: int = layer) -> str:
            return f"{part}{layer}"

        for part, shape in (("q", (width, width)), ("k", (width, width)), ("v", (width, width)), ("o", (width, width)),
                            ("up", (width, 4 * width)), ("down", (4 * width, width))):  # fmt: skip
            weights[name(f"w_{part}")] = shape
        nodes += [node("MatMul", [x, name(f"w_{part}")], name(part)) for part in "qkv"]
        nodes += [
            node("com.microsoft::MultiHeadAttention", [name(part) for part in "qkv"], name("a"), num_heads=4),
            node("MatMul", [name("a"), name("w_o")], name("o")),
            node("Add", [x, name("o")], name("r")),
            node("MatMul", [name("r"), name("w_up")], name("up")),
            node("Gelu", [name("up")], name("g")),
            node("MatMul", [name("g"), name("w_down")], name("down")),
            node("Add", [name("r"), name("down")], "y" if layer == layers - 1 else name("x")),
        ]
        x = name("x")
    found = cost(made(nodes, {"x": (batch, length, width)}, weights), {"x": (batch, length, width)})
    parameters = sum(math.prod(shape) for shape in weights.values())
    assert found.flops == 2 * parameters * batch * length + layers * 4 * batch * length**2 * width
    assert not found.uncounted


def test_an_operator_that_is_not_known_is_said(made):
    path = made([node("Einsum", ["x", "w"], equation="ij,jk->ik")], {"x": (4, 8)}, {"w": (8, 16)})
    assert cost(path, {"x": (4, 8)}).uncounted == {"Einsum": 1}


def test_what_cannot_be_followed_is_a_fault_that_names_the_node(made, tmp_path):
    with pytest.raises(BundleError, match=r"shape of what acme::Magic '' gives does not follow .*\(4, 8\)"):
        sized_graph(made([node("acme::Magic", ["x"])], {"x": (4, 8)}), {"x": (4, 8)})
    with pytest.raises(BundleError, match="NonZero"):
        sized_graph(made([node("NonZero", ["x"])], {"x": (4, 8)}), {"x": (4, 8)})
    with pytest.raises(BundleError, match="input 'x', for which there is no size"):
        sized_graph(made([node("Relu", ["x"])], {"x": (4, 8)}), {})
    with pytest.raises(BundleError, match="takes 'ghost', which nothing before it gives"):
        sized_graph(made([node("Add", ["x", "ghost"])], {"x": (4, 8)}), {"x": (4, 8)})
    branch = helper.make_graph([node("Relu", ["x"])], "b", [], [helper.make_tensor_value_info("y", FLOAT, None)])
    with pytest.raises(BundleError, match="graph inside"):
        sized_graph(made([node("If", ["x"], then_branch=branch, else_branch=branch)], {"x": ()}), {"x": ()})
    (tmp_path / "broken.onnx").write_bytes(b"no graph")
    with pytest.raises(BundleError, match=r"cannot read the graph .*broken\.onnx"):
        sized_graph(tmp_path / "broken.onnx", {})


def test_without_onnx_the_error_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setattr("vidrt.engine.predict.graph.package_folders", lambda package: [])
    with pytest.raises(BackendError, match=r"pip install 'vidrt\[predict\]'"):
        sized_graph(tmp_path / "graph.onnx", {})
