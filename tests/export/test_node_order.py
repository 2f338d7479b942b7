"""ONNX Runtime computes what a layer hands on before the layer after it."""

import json
from pathlib import Path

import onnx
import onnx_ir as ir
import onnxruntime
import pytest
from onnx import TensorProto, helper

from vidrt.export.node_order import SideOutputsFirstPass

LAYERS = 3


@pytest.fixture
def chain() -> ir.Model:
    """Layers one after another, each with a cache that nothing else needs, as a decoder's step is traced."""
    nodes, outputs = [], ["frames"]
    value = "x"
    for layer in range(LAYERS):
        # Matrix products: neither merged with each other nor moved.
        nodes.append(helper.make_node("MatMul", [value, value], [f"layer_{layer}"], name=f"layer_{layer}"))
        value = f"layer_{layer}"
    nodes.append(helper.make_node("Sigmoid", [value], ["frames"], name="frames"))
    for layer in range(LAYERS):
        nodes.append(helper.make_node("Sin", [f"layer_{layer}"], [f"cache_{layer}"], name=f"cache_{layer}"))
        outputs.append(f"cache_{layer}")
    tensors = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [4, 4]) for name in ["x", *outputs]]
    graph = helper.make_graph(nodes, "chain", tensors[:1], tensors[1:])
    return ir.from_proto(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10))


def computed(model: ir.Model, folder) -> list[str]:
    """The nodes in the order in which ONNX Runtime runs them."""
    proto = ir.to_proto(model)
    onnx.checker.check_model(proto, full_check=True)
    options = onnxruntime.SessionOptions()
    options.enable_profiling = True
    options.profile_file_prefix = str(folder / "profile")
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    session.run(None, {"x": onnx.numpy_helper.to_array(helper.make_tensor("x", TensorProto.FLOAT, [4, 4], [0.1] * 16))})
    events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    return [event["name"].removesuffix("_kernel_time") for event in events if event["name"].endswith("_kernel_time")]


def test_each_layers_cache_is_computed_before_the_next_layer(chain, tmp_path):
    layers = [f"{kind}_{layer}" for layer in range(LAYERS) for kind in ("layer", "cache")]
    assert computed(chain, tmp_path) != [*layers, "frames"]  # what this is for
    result = SideOutputsFirstPass()(chain)
    assert result.modified
    assert computed(chain, tmp_path) == [*layers, "frames"]


def test_what_others_need_stays_and_a_second_time_changes_nothing(chain):
    chain.graph.outputs.append(chain.graph.node("layer_1").outputs[0])  # an output, and the next layer's input
    SideOutputsFirstPass()(chain)
    order = [node.name for node in chain.graph]
    assert order.index("layer_1") < order.index("layer_2")
    assert not SideOutputsFirstPass()(chain).modified
    assert [node.name for node in chain.graph] == order
