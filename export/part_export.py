"""One part of an export: trace its modules, write its weights, make the graphs, compare them with PyTorch."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import onnx_ir as ir
from onnxruntime import InferenceSession
from torch import nn

from vidrt.export import graph_file, graph_passes, parity, repeated
from vidrt.export.comparisons import Comparisons
from vidrt.export.depthwise.plugin_form import from_plugin_form
from vidrt.export.depthwise.report import Report
from vidrt.export.manifest import GraphRecord
from vidrt.export.options import DECODER_STEPS, ExportOptions
from vidrt.export.precision.emulation import emulate
from vidrt.export.precision.rewrite import LOW_DTYPES
from vidrt.export.spec import INT8, ModuleSpec, Part, Precision
from vidrt.export.stand_ins import stored_weights
from vidrt.export.to_onnx import trace
from vidrt.export.variants import (
    ModuleGraphs,
    Variant,
    alike,
    form_of,
    stock_graph,
    with_custom_ops,
    with_int8,
    with_low_precision,
    with_processor_form,
)
from vidrt.export.weights import (
    STORAGE_DTYPES,
    DataFile,
    Weight,
    WeightFile,
    named_weights,
    stored_names,
    write_weights,
)

_LARGE_FILE = 2**29
"""Bytes of weights from which a comparison is to save memory rather than time."""

Begin = Callable[[str], None]
"""Told what is done next."""


@dataclasses.dataclass(frozen=True)
class ExportedPart:
    """What a part became: files of weights, graphs, and by module what became of its depthwise convolutions."""

    files: list[DataFile]
    graphs: list[GraphRecord]
    rewrites: dict[str, Report]


def steps_of(part: Part) -> int:
    """How often export_part() says that it begins something."""
    return 2 * len(part.modules) + 1


def export_part(part: Part, root: Path, options: ExportOptions, begin: Begin, comparisons: Comparisons) -> ExportedPart:
    """Write the graphs and weights of a part to a bundle's folder, and compare those that were not compared before.

    Raises:
        ExportError: The model cannot be exported, or a graph does not compute what PyTorch computes.
        OSError: The disk refuses.
    """
    for network in part.networks.values():
        network.eval()
    weights = named_weights(part.networks, options.storage)
    traced = []
    for module in part.modules:
        begin(f"tracing {module.name}")
        traced.append(_trace(module, weights))
    begin("writing weights")
    constants = [graph_file.take_out_constants(model, weights) for item in traced for model in item.models]
    for found in constants:
        weights.update(found)
    graphs = _graphs(traced, weights, options)
    if options.int8_alone:
        weights = _still_needed(weights, traced, graphs)
    own = {
        (name, variant.id): write_weights(root, variant.own_weights)
        for name, made in graphs.items()
        for variant in made.variants
        if variant.own_weights
    }
    files = _Files(write_weights(root, weights), _write_narrow(root, weights, graphs.values(), options), own)
    records = []
    for item in traced:
        begin(f"comparing {item.spec.name}")
        for variant in graphs[item.spec.name].variants:
            records.append(_finish(item, variant, files, _Target(root, options, comparisons)))
    stored = [DataFile(file.path, file.bytes, file.sha256) for file in files.all()]
    return ExportedPart(stored, records, {name: made.report for name, made in graphs.items()})


@dataclasses.dataclass(frozen=True)
class _Traced:
    """A module, its graph, the graph in the form for processors, and the stored name of each of its weights."""

    spec: ModuleSpec
    module: nn.Module
    model: ir.Model
    for_processor: ir.Model | None
    names: Mapping[str, str]

    @property
    def models(self) -> list[ir.Model]:
        """All graphs that were traced."""
        return [self.model] if self.for_processor is None else [self.model, self.for_processor]


def _trace(spec: ModuleSpec, weights: Mapping[str, Weight]) -> _Traced:
    module = spec.build().eval()
    form = spec.processor_form
    other = None if form is None else _graph_of(form, form.build().eval(), weights)
    return _Traced(spec, module, _graph_of(spec, module, weights), other, stored_names(module, weights))


def _graph_of(spec: ModuleSpec, module: nn.Module, weights: Mapping[str, Weight]) -> ir.Model:
    model = trace(spec, module)
    graph_passes.name_weights(model, stored_names(module, weights))
    graph_passes.clean(model, weights)
    repeated.expand(model, module, spec.name, weights)
    return model


def _graphs(traced: list[_Traced], weights: Mapping[str, Weight], options: ExportOptions) -> dict[str, ModuleGraphs]:
    """The variants of every module."""
    graphs = {item.spec.name: stock_graph(item.model) for item in traced}
    if options.custom_ops:
        for name, stock in graphs.items():
            graphs[name] = with_custom_ops(stock, weights, separable=options.separable)
        steps = [name for name in DECODER_STEPS if name in graphs]
        graphs.update(zip(steps, alike([graphs[name] for name in steps]), strict=True))
    for item in traced:
        graphs[item.spec.name] = with_processor_form(graphs[item.spec.name], item.for_processor)
    for name, made in graphs.items():
        graphs[name] = with_low_precision(made, options.precisions_of(name), weights)
        if options.int8_of(name):
            graphs[name] = with_int8(graphs[name], weights, alone=options.int8_alone)
    return graphs


@dataclasses.dataclass(frozen=True)
class _Files:
    """The weights as they are stored, what is stored once more for a low precision, and what one variant has alone."""

    main: WeightFile
    narrow: Mapping[Precision, WeightFile]
    own: Mapping[tuple[str, str], WeightFile]

    def all(self) -> list[WeightFile]:
        return [self.main, *self.narrow.values(), *self.own.values()]


def _still_needed(
    weights: Mapping[str, Weight], traced: list[_Traced], graphs: Mapping[str, ModuleGraphs]
) -> dict[str, Weight]:
    """Without those that the traced graphs refer to and none of the variants does."""
    before = {name for item in traced for name in item.model.graph.initializers}
    after = {name for made in graphs.values() for variant in made.variants for name in variant.model.graph.initializers}
    return {name: weight for name, weight in weights.items() if name not in before - after}


def _write_narrow(
    root: Path, weights: Mapping[str, Weight], graphs: Collection[ModuleGraphs], options: ExportOptions
) -> dict[Precision, WeightFile]:
    """Store what graphs of low precision compute with once more, where it is stored in fp32.

    What is stored in fp16 serves bf16 as well, behind a Cast that runtimes fold.
    """
    files: dict[Precision, WeightFile] = {}
    if options.storage != "fp32":
        return files
    for precision, dtype in LOW_DTYPES.items():
        used = {
            name
            for made in graphs
            for variant in made.variants
            if variant.precision == precision
            for name, value in variant.model.graph.initializers.items()
            if name in weights and any(graph_file.is_cast_to(use.node, dtype) for use in value.uses())
        }
        if used:
            rounded = {name: Weight(weights[name].tensor, STORAGE_DTYPES[precision]) for name in sorted(used)}
            files[precision] = write_weights(root, rounded, "leave the module out of --precision, or take bf16")
    return files


@dataclasses.dataclass(frozen=True)
class _Target:
    """The bundle's folder, how it is made, and what is known of its graphs."""

    root: Path
    options: ExportOptions
    comparisons: Comparisons


def _finish(traced: _Traced, variant: Variant, files: _Files, target: _Target) -> GraphRecord:
    spec, root = traced.spec, target.root
    path = f"{spec.name}{variant.file_suffix}"
    if variant.int8:
        graph_file.refer_to(variant.model, files.own[spec.name, variant.id])
    graph_file.refer_to(variant.model, files.main, files.narrow.get(variant.precision))
    graph_file.write_graph(root, path, variant.model)
    content = (root / path).read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    measured = target.comparisons.of(sha256, lambda: _compare(traced, variant, files, root))
    data_files = _data_files(variant, files)
    return GraphRecord(
        module=spec.name,
        id=variant.id,
        custom_ops=variant.custom_ops,
        backends=variant.backends,
        file=path,
        bytes=len(content),
        sha256=sha256,
        data_files=data_files,
        precision=variant.precision,
        storage=_storage(variant, data_files, files, target.options),
        nodes=len(variant.model.graph),
        parity=measured,
    )


def _storage(variant: Variant, data_files: tuple[str, ...], files: _Files, options: ExportOptions) -> str:
    if variant.int8:
        return INT8
    return options.storage if data_files == (files.main.path,) else variant.precision


def _compare(traced: _Traced, variant: Variant, files: _Files, root: Path) -> parity.Parity:
    """Compare a written graph with its module, which computes with the stored weights."""
    spec = form_of(traced.spec, variant.id)
    session = _session(root, f"{spec.name}{variant.file_suffix}", variant, frugal=files.main.bytes > _LARGE_FILE)
    allowed = parity.Allowed(spec.tolerance[variant.precision])
    if variant.int8:
        allowed = parity.Allowed(spec.tolerance[INT8], spec.least_cosine)
    with stored_weights(traced.module, root, files.main, traced.names):
        measured = parity.measure(spec, traced.module, session, allowed)
    return measured if variant.precision == "fp32" else dataclasses.replace(measured, method="emulated")


def _data_files(variant: Variant, files: _Files) -> tuple[str, ...]:
    values = variant.model.graph.initializers.values()
    used = {str(value.const_value.location) for value in values if isinstance(value.const_value, ir.ExternalTensor)}
    return tuple(file.path for file in files.all() if file is files.main or file.path in used)


def _session(root: Path, path: str, variant: Variant, *, frugal: bool) -> InferenceSession:
    """A session of a written graph, in the form of it that ONNX Runtime's processor kernels compute."""
    custom_ops = variant.has_vidrt_ops
    if not variant.for_plugins and variant.precision == "fp32":
        return parity.open_session(root / path, custom_ops=custom_ops, frugal=frugal)
    model = ir.load(root / path)
    if variant.for_plugins:
        from_plugin_form(model)
    emulate(model)
    copy = f"{Path(path).stem}.compared.onnx"
    graph_file.write_graph(root, copy, model)
    try:
        return parity.open_session(root / copy, custom_ops=custom_ops, frugal=frugal)
    finally:
        (root / copy).unlink()
