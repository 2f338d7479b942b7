"""Graphs come out small, and no pass reads or rewrites a weight."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx_ir as ir
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from vidrt.export import graph_passes
from vidrt.export.graph_file import refer_to, take_out_constants, write_graph
from vidrt.export.samples import normal
from vidrt.export.spec import Extent, ModuleSpec, TensorSpec
from vidrt.export.to_onnx import trace
from vidrt.export.weights import Weight, named_weights, stored_names, write_weights


class Tempting(nn.Module):
    """All that an optimiser likes to fold: equal weights, a zero bias, arithmetic on weights, dead parts."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Parameter(torch.ones(4))
        self.same = nn.Parameter(torch.ones(4))
        self.conv = nn.Conv3d(4, 4, 1)
        nn.init.zeros_(self.conv.bias)  # type: ignore[arg-type]
        self.linear = nn.Linear(4, 4)
        self.unused = nn.Parameter(torch.ones(3))
        self.register_buffer("table", torch.linspace(0.0, 1.0, 512), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        rates = torch.exp(-torch.arange(4, dtype=torch.float32))
        x = x * (self.one * 2.0 + rates).view(1, 4, 1, 1, 1) + self.same.view(1, -1, 1, 1, 1)
        x = self.conv(x) + x * x.sigmoid() + x.sigmoid()
        return (
            x
            + self.linear(x.mean(dim=(2, 3, 4)))[:, :, None, None, None] * self.table.mean()
            + self.table[: x.shape[4]]
        )


SPEC = ModuleSpec(
    name="tempting",
    build=Tempting,
    inputs=(TensorSpec("x", "float32", ("B", 4, "T", "h", "w"), normal),),
    outputs=(TensorSpec("y", "float32", ("B", 4, "T", "h", "w")),),
    extents={"B": Extent(1, 8), "T": Extent(1, 8), "h": Extent(2, 8, 2), "w": Extent(1, 8)},
    trace={"B": 2, "T": 3, "h": 4, "w": 5},
    cases=({"B": 1, "T": 1, "h": 2, "w": 1},),
    tolerance={"fp32": 1e-5},
)


@pytest.fixture(scope="module")
def module() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Tempting().eval()


@pytest.fixture
def cleaned(module: nn.Module) -> Callable[[], tuple[ir.Model, dict[str, Weight]]]:
    def make() -> tuple[ir.Model, dict[str, Weight]]:
        weights = named_weights({"net": module}, "fp32")
        model = trace(SPEC, module)
        graph_passes.name_weights(model, stored_names(module, weights))
        graph_passes.clean(model, weights)
        return model, weights

    return make


def test_no_pass_rewrites_merges_or_drops_a_used_weight(
    cleaned: Callable[[], tuple[ir.Model, dict[str, Weight]]],
) -> None:
    model, weights = cleaned()
    kept = {name: value for name, value in model.graph.initializers.items() if name in weights}
    assert set(kept) == set(weights) - {"net.unused"}
    for name, value in kept.items():
        assert value.const_value is None  # passes see no numbers
        assert math.prod(value.shape.numpy()) == weights[name].tensor.numel()


def test_constants_are_folded_and_equal_computations_merged(
    cleaned: Callable[[], tuple[ir.Model, dict[str, Weight]]],
) -> None:
    model, _ = cleaned()
    operators = [node.op_type for node in model.graph]
    assert "Exp" not in operators
    assert "Range" not in operators
    assert operators.count("Sigmoid") == 1


def test_inputs_and_outputs_carry_the_declared_names_and_symbols(
    cleaned: Callable[[], tuple[ir.Model, dict[str, Weight]]],
) -> None:
    model, _ = cleaned()
    assert [value.name for value in model.graph.inputs] == ["x"]
    assert [value.name for value in model.graph.outputs] == ["y"]
    assert str(model.graph.inputs[0].shape) == "[B,4,T,h,w]"


def test_a_graph_tells_nothing_of_the_machine_that_made_it(
    cleaned: Callable[[], tuple[ir.Model, dict[str, Weight]]],
) -> None:
    model, _ = cleaned()
    text = ir.to_proto(model).SerializeToString()
    assert b".py" not in text
    assert b"/site-packages" not in text


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_large_constants_lie_outside_the_graph_unrounded_and_it_still_computes_the_same(
    cleaned: Callable[[], tuple[ir.Model, dict[str, Weight]]],
    module: nn.Module,
    dtype: torch.dtype,
    tmp_path: Path,
) -> None:
    model, weights = cleaned()
    constants = take_out_constants(model, weights)
    stored = {name: Weight(weight.tensor, dtype) for name, weight in weights.items()} | constants
    file = write_weights(tmp_path, stored)
    refer_to(model, file)
    write_graph(tmp_path, "tempting.onnx", model)
    assert [weight.dtype for weight in constants.values()] == [torch.float32]
    assert torch.equal(next(iter(constants.values())).tensor, module.get_buffer("table"))

    session = onnxruntime.InferenceSession(str(tmp_path / "tempting.onnx"), providers=["CPUExecutionProvider"])
    x = torch.randn(1, 4, 2, 4, 3)
    with torch.no_grad():
        expected = module(x).numpy()
    (got,) = session.run(None, {"x": x.numpy()})
    np.testing.assert_allclose(got, expected, atol=1e-5 if dtype == torch.float32 else 1e-2)


def test_equal_large_constants_become_one_and_others_of_the_same_bytes_stay_apart() -> None:
    x = ir.Value(name="x", shape=ir.Shape([300]), type=ir.TensorType(ir.DataType.FLOAT))
    tensors = [np.zeros(300, np.float32), np.zeros(300, np.float32), np.zeros((300, 1), np.float32)]
    constants = [
        ir.Value(name=f"c{index}", shape=ir.Shape(tensor.shape), const_value=ir.tensor(tensor), type=x.type)
        for index, tensor in enumerate(tensors)
    ]
    nodes = [ir.node("Add", [x, constant]) for constant in constants]
    for index, node in enumerate(nodes):
        node.outputs[0].name = f"y{index}"
    graph = ir.Graph(
        [x], [node.outputs[0] for node in nodes], nodes=nodes, initializers=constants, opset_imports={"": 22}
    )
    model = ir.Model(graph, ir_version=10)
    taken = take_out_constants(model, {})
    assert set(taken) == set(graph.initializers)
    assert [tuple(weight.tensor.shape) for weight in taken.values()] == [(300,), (300, 1)]
    assert nodes[0].inputs[1] is nodes[1].inputs[1]
    assert nodes[2].inputs[1] is not nodes[0].inputs[1]
    model.clone()  # refuses values that no graph has


def test_a_cast_stands_behind_every_weight_that_is_stored_narrower(
    cleaned: Callable[[], tuple[ir.Model, dict[str, Weight]]], tmp_path: Path
) -> None:
    model, weights = cleaned()
    file = write_weights(tmp_path, {name: Weight(weight.tensor, torch.float16) for name, weight in weights.items()})
    refer_to(model, file)
    for name, value in model.graph.initializers.items():
        if name in weights:
            assert value.dtype == ir.DataType.FLOAT16
            assert [use.node.op_type for use in value.uses()] == ["Cast"]


class Branching(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x if bool(x.sum() > 0) else -x


def test_a_module_that_cannot_be_traced_is_named() -> None:
    with pytest.raises(Exception, match="module tempting: it cannot be traced"):
        trace(SPEC, Branching())


class Shorter(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x[:, :3]


def test_an_output_of_another_shape_than_declared_is_refused() -> None:
    with pytest.raises(Exception, match=r"module tempting: output y: the traced shape is .*, \['B', 4, 'T'"):
        trace(SPEC, Shorter())


class Chatty(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x, x + 1


def test_an_undeclared_output_is_refused() -> None:
    with pytest.raises(Exception, match="module tempting: outputs: the module has 2, 1 are declared"):
        trace(SPEC, Chatty())
