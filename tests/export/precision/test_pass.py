"""The pass on small graphs: what computes in low precision, what stays in fp32, and where the casts are."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir
import pytest

from vidrt.export.errors import ExportError
from vidrt.export.precision.rewrite import to_precision

Parse = Callable[[str], ir.Model]
Lowered = Callable[..., dict[str, list[str]]]

CONVOLUTION = """
g (float[N,4,8,8] x) => (float[N,4,8,8] y)
<float[4,4,1,1] w = {ones16}> {
  c = Conv (x, w)
  y = Relu (c)
}
"""

NORM = """
g (float[N,8,4] x) => (float[N,8,4] y)
<float two = {2.0}, float eps = {1e-06}, float[1,8,1] w = {1,1,1,1,1,1,1,1}, int64[1] axes = {1}> {
  x0 = Relu (x)
  p = Pow (x0, two)
  m = ReduceMean (p, axes)
  e = Add (m, eps)
  s = Sqrt (e)
  r = Reciprocal (s)
  n = Mul (x0, r)
  a = Mul (n, w)
  y = Relu (a)
}
"""

ATTENTION = """
g (float[N,L,8] q, float[N,8,M] k, float[N,M,8] v, int64[N,1,M] mask) => (float[N,L,8] y)
<float scale = {0.125}, float one = {1.0}, float far = {FAR}> {
  qk = MatMul (q, k)
  scaled = Mul (qk, scale)
  kept = Cast <to = 1> (mask)
  less = Sub (kept, one)
  bias = Mul (less, far)
  masked = Add (scaled, bias)
  p = Softmax (masked)
  y = MatMul (p, v)
}
"""


def _inputs(node: ir.Node) -> list[ir.Value]:
    return [value for value in node.inputs if value is not None]


def test_fp32_leaves_a_graph_as_it_is(parse: Parse) -> None:
    for text in (CONVOLUTION, NORM, ATTENTION.replace("FAR", "10000.0")):
        model = parse(text)
        before = ir.to_proto(model).SerializeToString(deterministic=True)
        to_precision(model, "fp32", ())
        assert ir.to_proto(model).SerializeToString(deterministic=True) == before


@pytest.mark.parametrize(("precision", "dtype"), [("fp16", "FLOAT16"), ("bf16", "BFLOAT16")])
def test_products_and_elementwise_nodes_are_low_and_the_border_is_fp32(
    lowered: Lowered, precision: str, dtype: str
) -> None:
    assert lowered(CONVOLUTION, precision) == {"Conv": [dtype], "Relu": [dtype], "Cast": [dtype, dtype, "FLOAT"]}


def test_inputs_and_outputs_keep_names_and_dtypes(parse: Parse) -> None:
    model = parse(CONVOLUTION)
    to_precision(model, "fp16", ["w"])
    ((given,), (made,)) = model.graph.inputs, model.graph.outputs
    assert (given.name, given.dtype, made.name, made.dtype) == ("x", ir.DataType.FLOAT, "y", ir.DataType.FLOAT)
    producer = made.producer()
    assert producer is not None
    assert producer.op_type == "Cast"


def test_weights_are_not_read_and_constants_are_rounded_in_place(parse: Parse) -> None:
    model = parse(
        "g (float[4] x) => (float[4] y) <float[4,4] w = {ones16}, float c = {0.1}> {a = MatMul(x, w) y = Add(a, c)}"
    )
    to_precision(model, "fp16", ["w"])
    constants = {name: value.dtype for name, value in model.graph.initializers.items()}
    assert constants == {"w": ir.DataType.FLOAT, "c.float16": ir.DataType.FLOAT16}
    rounded = model.graph.initializers["c.float16"].const_value
    assert rounded is not None
    assert rounded.numpy() == np.float16(0.1)
    behind = [use.node.op_type for use in model.graph.initializers["w"].uses()]
    assert behind == ["Cast"]


def test_each_value_is_cast_once_and_no_cast_follows_another(parse: Parse) -> None:
    text = "g (float[4] x) => (float[4] y, float[4] z) {a = Relu(x) b = Exp(a) c = Exp(a) y = Mul(b, c) z = Add(b, a)}"
    model = parse(text)
    to_precision(model, "fp16", ())
    casts = [node for node in model.graph if node.op_type == "Cast"]
    assert len({(node.inputs[0], node.outputs[0].dtype) for node in casts}) == len(casts)
    for node in casts:
        producer = _inputs(node)[0].producer()
        assert producer is None or producer.op_type != "Cast"


def test_a_norm_written_out_is_fp32_from_the_square_to_its_scale(lowered: Lowered) -> None:
    found = lowered(NORM)
    for operator in ("Pow", "ReduceMean", "Add", "Sqrt", "Reciprocal"):
        assert found[operator] == ["FLOAT"]
    assert found["Mul"] == ["FLOAT", "FLOAT"]


def test_a_layer_norm_written_out_is_fp32_with_its_mean(lowered: Lowered) -> None:
    found = lowered(
        """g (float[N,8] x) => (float[N,8] y)
        <float eps = {0.001}, float[8] w = {1,1,1,1,1,1,1,1}, float[8] w2 = {0,0,0,0,0,0,0,0}, int64[1] axes = {1},
         float[8,8] w3 = {ones64}> {
          h = MatMul (x, w3)
          m = ReduceMean (h, axes)
          d = Sub (h, m)
          sq = Mul (d, d)
          v = ReduceMean (sq, axes)
          e = Add (v, eps)
          s = Sqrt (e)
          n = Div (d, s)
          a = Mul (n, w)
          b = Add (a, w2)
          y = MatMul (b, w3)
        }"""
    )
    assert found["MatMul"] == ["FLOAT16", "FLOAT16"]
    for operator in ("ReduceMean", "Sub", "Mul", "Add", "Sqrt", "Div"):
        assert set(found[operator]) == {"FLOAT"}, operator


@pytest.mark.parametrize(
    "node", ["LayerNormalization <axis = 1> (h, w2)", "Softmax (h)", "Exp (h)", "CumSum (h, one)", "Sin (h)"]
)
def test_operators_that_need_range_or_precision_stay_in_fp32(lowered: Lowered, node: str) -> None:
    found = lowered(
        f"g (float[2,2] x) => (float[2,2] y) <float[2,2] w = {{ones4}}, float[2] w2 = {{1,1}}, int64 one = {{1}}>"
        f"{{h = MatMul (x, w) n = {node} y = MatMul (n, w)}}"
    )
    assert found.pop("MatMul") == (["FLOAT", "FLOAT16"] if "Sin" in node else ["FLOAT16", "FLOAT16"])
    del found["Cast"]
    assert list(found.values()) == [["FLOAT"]]


@pytest.mark.parametrize("far", ["10000.0", "1e+09"])
def test_scores_are_scaled_masked_and_weighed_in_fp32(lowered: Lowered, far: str) -> None:
    found = lowered(ATTENTION.replace("FAR", far))
    assert found["MatMul"] == ["FLOAT16", "FLOAT16"]
    for operator in ("Mul", "Sub", "Add", "Softmax"):
        assert set(found[operator]) == {"FLOAT"}, operator


def test_the_way_of_the_timestep_is_fp32_until_something_else_joins_it(lowered: Lowered) -> None:
    found = lowered(
        """g (float[B] timestep, float[B,4] text) => (float[B,4] y)
        <float[1,4] rates = {1, 0.1, 0.01, 0.001}, int64[1] last = {1}, float[4,4] w = {ones16}> {
          t = Unsqueeze (timestep, last)
          angles = Mul (t, rates)
          s = Sin (angles)
          wt = Transpose (w)
          a = MatMul (s, wt)
          b = Sigmoid (a)
          c = MatMul (b, wt)
          d = Add (c, text)
          y = MatMul (d, w)
        }"""
    )
    assert found["MatMul"] == ["FLOAT", "FLOAT", "FLOAT16"]
    assert found["Transpose"] == found["Mul"] == found["Sigmoid"] == ["FLOAT"]
    assert found["Add"] == ["FLOAT16"]


def test_a_decoders_last_layer_and_what_follows_it_are_fp32(lowered: Lowered) -> None:
    found = lowered(
        """g (float[N,4,8,8] latents) => (float[N,4,8,8] frames, float[N,4,8,8] cache)
        <float[4,4,1,1] w = {ones16}, float low = {-1.0}, float high = {1.0}> {
          cache = Conv (latents, w)
          r = Relu (cache)
          c = Conv (r, w)
          frames = Clip (c, low, high)
        }"""
    )
    assert found["Conv"] == ["FLOAT16", "FLOAT"]
    assert (found["Relu"], found["Clip"]) == (["FLOAT16"], ["FLOAT"])


@pytest.mark.parametrize(
    ("constant", "fp16", "bf16"),
    [
        ("1e+09", "FLOAT", "BFLOAT16"),
        ("-70000.0", "FLOAT", "BFLOAT16"),
        ("1e-06", "FLOAT", "BFLOAT16"),
        ("65504.0", "FLOAT16", "BFLOAT16"),
        ("0.0", "FLOAT16", "BFLOAT16"),
    ],
)
def test_arithmetic_with_a_constant_that_fp16_cannot_hold_stays_in_fp32(
    lowered: Lowered, constant: str, fp16: str, bf16: str
) -> None:
    text = (
        f"g (float[2,2] x) => (float[2,2] y) <float[2,2] w = {{ones4}}, float c = {{{constant}}}>"
        "{h = MatMul (x, w) a = Add (h, c) y = MatMul (a, w)}"
    )
    assert lowered(text)["Add"] == [fp16]
    assert lowered(text, "bf16")["Add"] == [bf16]


def test_a_mean_over_what_a_mask_keeps_is_fp32(lowered: Lowered) -> None:
    found = lowered(
        """g (float[B,L,4] text, int64[B,L] mask) => (float[B,4] y)
        <float[4,4] w = {ones16}, int64[1] axes = {1}, float one = {1.0}> {
          total = ReduceSum <keepdims = 0> (text, axes)
          kept = Cast <to = 1> (mask)
          count = ReduceSum (kept, axes)
          least = Max (count, one)
          mean = Div (total, least)
          y = MatMul (mean, w)
        }"""
    )
    assert (found["ReduceSum"], found["Max"], found["Div"]) == (["FLOAT", "FLOAT"], ["FLOAT"], ["FLOAT"])


def test_what_takes_and_gives_fp32_only_stays_there(lowered: Lowered) -> None:
    found = lowered(
        """g (float[4,4] x) => (float[4,4] y, float[4,4] z) <float[4,4] w = {ones16}> {
          h = MatMul (x, w)
          a = Exp (h)
          b = Neg (a)
          c = Exp (b)
          y = MatMul (c, w)
          d = Abs (a)
          z = MatMul (d, w)
        }"""
    )
    assert (found["Neg"], found["Abs"]) == (["FLOAT"], ["FLOAT16"])


def test_moves_follow_what_they_carry(lowered: Lowered) -> None:
    found = lowered(
        """g (float[4,4] x) => (float[4,4] y)
        <float[4,4] w = {ones16}, int64[2] flat = {2, 8}, int64[2] square = {4, 4}> {
          h = MatMul (x, w)
          a = Exp (h)
          b = Reshape (a, flat)
          c = Reshape (b, square)
          d = Softmax (c)
          e = Transpose (d)
          y = MatMul (e, w)
        }"""
    )
    assert found["Reshape"] == ["FLOAT", "FLOAT"]  # between fp32 and fp32
    assert found["Transpose"] == ["FLOAT16"]  # on the way to a product


def test_shape_arithmetic_and_arguments_keep_their_dtypes(parse: Parse) -> None:
    model = parse(
        """g (float[N,2,H,W] x) => (float[N,2,P,Q] y)
        <float[2,2,1,1] w = {ones4}, float[4] scales = {1.0, 1.0, 2.0, 2.0}, int64[1] one = {1}> {
          c = Conv (x, w)
          s = Shape (c)
          t = Add (s, one)
          u = Sub (t, one)
          r = Reshape (c, u)
          y = Resize <mode = "nearest"> (r, , scales)
        }"""
    )
    to_precision(model, "fp16", ())
    dtypes = {node.op_type: node.outputs[0].dtype for node in model.graph}
    assert dtypes["Add"] == dtypes["Sub"] == ir.DataType.INT64
    assert dtypes["Reshape"] == dtypes["Resize"] == ir.DataType.FLOAT16
    resize = next(node for node in model.graph if node.op_type == "Resize")
    scales = resize.inputs[2]
    assert scales is not None
    assert scales.dtype == ir.DataType.FLOAT


def test_integers_become_low_numbers_in_one_step(parse: Parse) -> None:
    model = parse(
        """g (int64[4] n, float[4] x) => (float[4] y) <float[4,4] w = {ones16}> {
          a = Cast <to = 1> (n)
          b = MatMul (x, w)
          y = Mul (a, b)
        }"""
    )
    to_precision(model, "fp16", ())
    casts = [
        (value.name, node.outputs[0].dtype)
        for node in model.graph
        if node.op_type == "Cast"
        for value in node.inputs
        if value
    ]
    assert sorted(name for name, dtype in casts if dtype == ir.DataType.FLOAT16) == ["n", "x"]


@pytest.mark.parametrize("plugin", ["DepthwiseConv3d", "DepthwiseSeparableConv3d"])
def test_all_tensors_of_vidrts_operators_have_one_dtype(plugin: str) -> None:
    names = ["x", "w", "b", "pw", "pb"] if plugin == "DepthwiseSeparableConv3d" else ["x", "w", "b"]
    values = {name: ir.Value(name=name, shape=ir.Shape([1]), type=ir.TensorType(ir.DataType.FLOAT)) for name in names}
    node = ir.node(plugin, [*values.values(), None], domain="vidrt", num_outputs=2)
    for output, name in zip(node.outputs, ("y", "cache_out"), strict=True):
        output.name, output.type, output.shape = name, ir.TensorType(ir.DataType.FLOAT), ir.Shape([1])
    graph = ir.Graph(list(values.values()), list(node.outputs), nodes=[node], opset_imports={"": 22, "vidrt": 1})
    to_precision(ir.Model(graph, ir_version=10), "bf16", ())
    assert {value.dtype for value in _inputs(node)} == {value.dtype for value in node.outputs} == {ir.DataType.BFLOAT16}
    assert [(output.name, output.dtype) for output in graph.outputs] == [
        ("y", ir.DataType.FLOAT),
        ("cache_out", ir.DataType.FLOAT),
    ]


def test_an_operator_that_is_not_known_stays_in_fp32(lowered: Lowered) -> None:
    text = (
        "g (float[2,2] x) => (float[2,2] y) <float[2,2] w = {ones4}>"
        "{h = MatMul (x, w) a = Det (h) b = Add (h, a) y = MatMul (b, w)}"
    )
    assert lowered(text)["Det"] == ["FLOAT"]


def test_a_node_that_holds_a_graph_is_refused(parse: Parse) -> None:
    model = parse(
        """g (bool c, float[2] x) => (float[2] y) {
          y = If (c) <
            then_branch = t () => (float[2] a) {a = Relu (x)}, else_branch = e () => (float[2] b) {b = Neg (x)}
          >
        }"""
    )
    with pytest.raises(ExportError, match=r"\(If\) holds a graph, which has no form in fp16"):
        to_precision(model, "fp16", ())


def test_a_value_without_a_dtype_is_refused(parse: Parse) -> None:
    model = parse(CONVOLUTION)
    next(iter(model.graph)).outputs[0].type = None
    with pytest.raises(ExportError, match="'c', which Conv gives, has no dtype"):
        to_precision(model, "fp16", ())
