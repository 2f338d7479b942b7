"""Layers that are traced once give the graph that tracing all of them gives."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnx_ir as ir
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from vidrt.export import graph_passes, repeated
from vidrt.export.errors import ExportError
from vidrt.export.graph_file import refer_to, write_graph
from vidrt.export.repeated import LayerSpec, Repeated
from vidrt.export.samples import normal
from vidrt.export.spec import Extent, ModuleSpec, TensorSpec
from vidrt.export.to_onnx import trace
from vidrt.export.weights import named_weights, stored_names, write_weights

_LAYERS = 3


class Layer(nn.Module):
    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.linear = nn.Linear(width, 4)

    def forward(self, x: Tensor, shift: Tensor) -> Tensor:
        # By way of another shape, which depends on sizes that only a run knows.
        return self.linear(x.flatten(0, 1)).unflatten(0, x.shape[:2]) * x.shape[1] + shift


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.entry = nn.Linear(2, 4)
        inputs = (TensorSpec("x", "float32", ("B", "N", 4), normal), TensorSpec("shift", "float32", ("N", 4), normal))
        self.layers = Repeated((Layer() for _ in range(_LAYERS)), LayerSpec(inputs, {"B": 2, "N": 3}))

    def forward(self, x: Tensor, shift: Tensor) -> Tensor:
        return self.layers(self.entry(x), shift)


class Scattered(Network):
    """The second and the third layer take twice as many rows as the first."""

    def forward(self, x: Tensor, shift: Tensor) -> Tensor:
        x = self.layers.layer(0, self.entry(x), shift)
        x, shift = torch.cat((x, x), dim=1), torch.cat((shift, shift))
        return self.layers.layer(2, self.layers.layer(1, x, shift), shift)


def _random(kind: type[Network]) -> Network:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return kind().eval().requires_grad_(False)


@pytest.fixture
def network() -> Network:
    return _random(Network)


@pytest.fixture
def model(network: Network) -> ir.Model:
    return _expanded(network, "N")


def _expanded(network: Network, rows: str) -> ir.Model:
    """The expanded graph of a network that gives so many rows, as the exporter cleans it."""
    spec = ModuleSpec(
        name="network",
        build=lambda: network,
        inputs=(
            TensorSpec("x", "float32", ("B", "N", 2), normal),
            TensorSpec("shift", "float32", ("N", 4), normal),
        ),
        outputs=(TensorSpec("y", "float32", ("B", rows, 4)),),
        extents={"B": Extent(1, 8), "N": Extent(1, 8)},
        trace={"B": 2, "N": 3},
        cases=({"B": 1, "N": 1},),
        tolerance={"fp32": 1e-5},
    )
    model = trace(spec, network)
    assert sum(node.op_type == "RepeatedLayer" for node in model.graph) == _LAYERS
    weights = named_weights({"network": network}, "fp32")
    graph_passes.name_weights(model, stored_names(network, weights))
    graph_passes.clean(model, weights)
    repeated.expand(model, network, spec.name, weights)
    return model


@pytest.mark.parametrize("sizes", [(2, 3), (1, 1), (3, 5)])
def test_every_layer_computes_with_its_own_weights_at_any_size(
    network: Network, model: ir.Model, sizes: tuple[int, int], tmp_path: Path
) -> None:
    _assert_computes_the_same(network, model, sizes, tmp_path)


@pytest.mark.parametrize("sizes", [(2, 3), (1, 1), (3, 5)])
def test_layers_here_and_there_have_each_their_own_size(sizes: tuple[int, int], tmp_path: Path) -> None:
    network = _random(Scattered)
    _assert_computes_the_same(network, _expanded(network, "N*2"), sizes, tmp_path)


def _assert_computes_the_same(network: Network, model: ir.Model, sizes: tuple[int, int], tmp_path: Path) -> None:
    refer_to(model, write_weights(tmp_path, named_weights({"network": network}, "fp32")))
    write_graph(tmp_path, "network.onnx", model)
    session = onnxruntime.InferenceSession(str(tmp_path / "network.onnx"), providers=["CPUExecutionProvider"])
    x, shift = torch.randn(*sizes, 2), torch.randn(sizes[1], 4)
    (got,) = session.run(None, {"x": x.numpy(), "shift": shift.numpy()})
    np.testing.assert_allclose(got, network(x, shift).numpy(), rtol=1e-5, atol=1e-5)


def test_nothing_but_the_layers_operators_and_weights_is_left(network: Network, model: ir.Model) -> None:
    assert set(model.opset_imports) == {""}
    assert set(network.state_dict()) == {
        name.removeprefix("network.") for name in model.graph.initializers if name.startswith("network.")
    }
    names = [node.name for node in model.graph]
    assert len(set(names)) == len(names)
    assert all(value.name and re.search(r"^layers\.[012]\.", value.name) for value in _results(model, "Gemm"))


def test_sizes_are_computed_once_for_all_layers(model: ir.Model) -> None:
    shapes = [node for node in model.graph if node.op_type == "Shape"]
    assert len(shapes) == len({(node.inputs[0], node.attributes["start"].as_int()) for node in shapes})
    assert len({node.inputs[0] for node in shapes}) == 1


def _results(model: ir.Model, operator: str) -> list[ir.Value]:
    found = [node.outputs[0] for node in model.graph if node.op_type == operator]
    assert len(found) == _LAYERS
    return found


def test_layers_of_several_structures_are_refused(network: Network) -> None:
    with pytest.raises(ExportError, match="layer 1 is not of the first one's structure"):
        Repeated([Layer(), Layer(width=8)], network.layers.spec)
    with pytest.raises(ExportError, match="got no layers"):
        Repeated([], network.layers.spec)


def test_a_layer_that_cannot_be_traced_is_named(network: Network) -> None:
    model = ir.Model(ir.Graph([], [], nodes=[]), ir_version=10)
    weights = named_weights({"network": network}, "fp32")
    network.layers.spec = LayerSpec(network.layers.spec.inputs[:1], {"B": 2, "N": 3})
    with pytest.raises(ExportError, match="module network: a layer of layers: it cannot be traced"):
        repeated.expand(model, network, "network", weights)
