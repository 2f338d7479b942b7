"""Depthwise convolutions and what stands around them as PyTorch modules, exported with and without the pass.

Tests give small functions of a Subject. Tracing takes a second or two, so those of a table are traced together, as the
outputs of one graph.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from vidrt.export import graph_passes
from vidrt.export.depthwise.report import Report
from vidrt.export.depthwise.rewrite import rewrite
from vidrt.export.graph_file import refer_to, take_out_constants, write_graph
from vidrt.export.samples import normal
from vidrt.export.spec import Extent, ModuleSpec, TensorSpec
from vidrt.export.to_onnx import trace
from vidrt.export.weights import Weight, named_weights, stored_names, write_weights

CHANNELS = 4
TOLERANCE = 2e-6
CASES = ({"B": 1, "T": 8, "h": 7, "w": 9}, {"B": 2, "T": 9, "h": 8, "w": 7})
SHORT = {"B": 1, "T": 1, "h": 7, "w": 8}
"""Shorter than any filter: only where clips are padded in time."""

Compute = Callable[..., Any]
"""What a test does with a Subject and its inputs."""

Table = Mapping[str, tuple[Compute, dict[str, Any], Any]]
"""By name: what to compute, arguments of the convolution, and what the test expects."""


class Subject(nn.Module):
    """A depthwise convolution, two 1x1x1 ones, a vector, and what a test does with them."""

    def __init__(self, compute: Compute, **conv: Any) -> None:
        super().__init__()
        conv = {"kernel_size": 3, "groups": CHANNELS, "channels": CHANNELS, "outputs": CHANNELS, **conv}
        self.conv = nn.Conv3d(conv.pop("channels"), conv.pop("outputs"), **conv)
        self.pointwise = nn.Conv3d(CHANNELS, 6, 1)
        self.back = nn.Conv3d(CHANNELS, CHANNELS, 1, bias=False)
        self.vector = nn.Parameter(torch.randn(CHANNELS))
        self.compute = compute

    def forward(self, x: Tensor) -> Any:
        return self.compute(self, x)


class CachedSubject(Subject):
    """One whose test has a cache as well."""

    def forward(self, x: Tensor, cache: Tensor) -> Any:  # type: ignore[override]
        return self.compute(self, x, cache)


class Subjects(nn.Module):
    """Many of them on the same clip."""

    def __init__(self, table: Table) -> None:
        super().__init__()
        self.subjects = nn.ModuleList(Subject(compute, **conv) for compute, conv, _ in table.values())

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return tuple(subject(x) for subject in self.subjects)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """A stock graph and the rewritten one on disk, and what the pass said."""

    spec: ModuleSpec
    report: Report
    model: ir.Model
    stock: Path
    after: Path
    evaluate: Callable[..., Any]
    _known: dict[Any, tuple[list[npt.NDArray[Any]], list[npt.NDArray[Any]]]] = dataclasses.field(default_factory=dict)

    def operators(self) -> list[str]:
        return [node.op_type for node in self.model.graph]

    def attributes(self, index: int = 0) -> dict[str, Any]:
        """Of the operator that is `index`th in the report."""
        name = self.report.rewritten[index].node
        (node,) = [node for node in self.model.graph if node.name == name]
        return {name: attribute.value for name, attribute in node.attributes.items()}

    def assert_equal(self, *more: dict[str, int], only: int | None = None) -> None:
        """Compare both graphs at CASES and further sizes; in all outputs, or in one."""
        for seed, sizes in enumerate((*CASES, *more)):
            for index, (expected, got) in enumerate(zip(*self._results(seed, sizes), strict=True)):
                if only in (None, index):
                    assert got.shape == expected.shape
                    assert float(np.abs(expected).max()) > 0.1, "a comparison of zeros would say nothing"
                    np.testing.assert_allclose(got, expected, rtol=0, atol=TOLERANCE)

    def _results(self, seed: int, sizes: dict[str, int]) -> tuple[list[npt.NDArray[Any]], list[npt.NDArray[Any]]]:
        key = tuple(sizes.items())
        if key not in self._known:
            inputs = self.spec.sample_inputs(sizes, seed)
            feeds = {tensor.name: value.numpy() for tensor, value in zip(self.spec.inputs, inputs, strict=True)}
            session = onnxruntime.InferenceSession(str(self.stock), providers=["CPUExecutionProvider"])
            self._known[key] = session.run(None, feeds), self.evaluate(self.after, feeds)
        return self._known[key]


@dataclasses.dataclass(frozen=True)
class _Traced:
    """A module, its declaration, cleaned graph and weights."""

    module: nn.Module
    spec: ModuleSpec
    model: ir.Model
    weights: dict[str, Weight]

    def rewritten(self, folder: Path, evaluate: Callable[..., Any], *, separable: bool = True) -> Outcome:
        """Write the graph to a folder with and without the pass."""
        changed = self.model.clone()
        report = rewrite(changed, self.weights, separable=separable)
        file = write_weights(folder, self.weights)
        for graph, name in ((self.model, "stock.onnx"), (changed, "after.onnx")):
            refer_to(graph, file)
            write_graph(folder, name, graph)
        return Outcome(self.spec, report, changed, folder / "stock.onnx", folder / "after.onnx", evaluate)


def _traced(module: nn.Module, inputs: tuple[TensorSpec, ...], results: int, smallest: int = 1) -> _Traced:
    spec = ModuleSpec(
        name="subject",
        build=lambda: module,
        inputs=inputs,
        outputs=tuple(TensorSpec(f"y_{i}", "float32", ("B", "C", "F", "H", "W")) for i in range(results)),
        extents={"B": Extent(1, 8), **{symbol: Extent(smallest, 64) for symbol in ("T", "h", "w")}},
        trace={"B": 2, "T": 9, "h": 10, "w": 11, "F": 2, "H": 2, "W": 2, "C": 2},
        cases=tuple({**sizes, "F": 1, "H": 1, "W": 1, "C": 1} for sizes in CASES),
        tolerance={"fp32": TOLERANCE},
    )
    spec = dataclasses.replace(spec, outputs=_outputs(spec, module))
    weights = named_weights({"net": module}, "fp32")
    model = trace(spec, module)
    graph_passes.name_weights(model, stored_names(module, weights))
    graph_passes.clean(model, weights)
    weights |= take_out_constants(model, weights)
    return _Traced(module, spec, model, weights)


def _outputs(spec: ModuleSpec, module: nn.Module) -> tuple[TensorSpec, ...]:
    """Sizes that follow from the padding: what two sizes of clip agree in is a number, the rest symbols."""
    other = {"B": 3, "T": spec.extents["T"].min, "h": 13, "w": 14}
    shapes = []
    for sizes in (spec.trace, other):
        with torch.no_grad():
            given = module(*spec.sample_inputs(sizes, 0))
        shapes.append([tensor.shape for tensor in (given if isinstance(given, tuple) else (given,))])
    return tuple(
        dataclasses.replace(tensor, shape=_symbols(*pair)) for tensor, *pair in zip(spec.outputs, *shapes, strict=True)
    )


def _symbols(one: torch.Size, other: torch.Size) -> tuple[int | str, ...]:
    return tuple(a if a == b else name for a, b, name in zip(one, other, ("B", "C", "F", "H", "W"), strict=True))


def _seeded(make: Callable[[], nn.Module]) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return make().eval()


@pytest.fixture
def run(tmp_path: Path, evaluate_depthwise: Callable[..., Any]) -> Callable[..., Outcome]:
    """Export a subject with and without the pass."""

    def make(
        compute: Compute,
        *,
        cache_frames: int = 0,
        channels: int = CHANNELS,
        results: int = 1,
        separable: bool = True,
        before: Callable[[ir.Model], None] = lambda model: None,
        **conv: Any,
    ) -> Outcome:
        inputs = [TensorSpec("x", "float32", ("B", channels, "T", "h", "w"), normal)]
        if cache_frames:
            inputs.append(TensorSpec("cache", "float32", ("B", channels, cache_frames, "h", "w"), normal))
        kind = CachedSubject if cache_frames else Subject
        traced = _traced(_seeded(lambda: kind(compute, channels=channels, **conv)), tuple(inputs), results)
        before(traced.model)
        return traced.rewritten(tmp_path, evaluate_depthwise, separable=separable)

    return make


@pytest.fixture(scope="module")
def grouped(tmp_path_factory: pytest.TempPathFactory, evaluate_depthwise: Callable[..., Any]) -> Callable[..., Outcome]:
    """Export all subjects of a table as one graph, once; outputs and report are in the table's order."""
    known: dict[int, Outcome] = {}

    def make(table: Table, smallest: int = 1) -> Outcome:
        if id(table) not in known:
            clip = TensorSpec("x", "float32", ("B", CHANNELS, "T", "h", "w"), normal)
            traced = _traced(_seeded(lambda: Subjects(table)), (clip,), len(table), smallest)
            known[id(table)] = traced.rewritten(tmp_path_factory.mktemp("grouped"), evaluate_depthwise)
        return known[id(table)]

    return make
