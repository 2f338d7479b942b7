"""The whole way from a declaration to a bundle: round, trace, clean, store, compare, write, open."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import cast

import onnx_ir as ir
import onnxruntime
import torch
from onnxruntime import InferenceSession
from torch import nn

from vidrt.engine.bundle import Bundle
from vidrt.engine.errors import InvalidArgument
from vidrt.engine.precision import EVERY_MODULE, check_modules
from vidrt.export import graph_file, graph_passes, parity
from vidrt.export.depthwise.match import DOMAIN
from vidrt.export.depthwise.plugin_form import from_plugin_form
from vidrt.export.depthwise.report import Report
from vidrt.export.errors import ExportError
from vidrt.export.manifest import FILE_NAME, GraphRecord, manifest_of
from vidrt.export.precision.emulation import emulate
from vidrt.export.precision.rewrite import LOW_DTYPES
from vidrt.export.spec import INT8, BundleSpec, ModuleSpec, Precision
from vidrt.export.to_onnx import trace
from vidrt.export.variants import (
    ModuleGraphs,
    Variant,
    alike,
    stock_graph,
    with_custom_ops,
    with_int8,
    with_low_precision,
)
from vidrt.export.weights import (
    STORAGE_DTYPES,
    Weight,
    WeightFile,
    named_weights,
    round_weights,
    stored_names,
    write_weights,
)
from vidrt.export.writer import staged_folder

STORAGES: tuple[Precision, ...] = ("fp16", "fp32")
INT8_ONNXRUNTIME = (1, 23)
"""The first with a processor kernel for eight bits that leaves activations in float32."""
_DECODER_STEPS = ("vae_decoder_first", "vae_decoder_next")


@dataclasses.dataclass(frozen=True)
class ExportOptions:
    """How to export.

    Args:
        precisions: What modules get graphs to compute in besides fp32, by module; EVERY_MODULE stands for those that
            are not named. TensorRT prefers the first.
        storage: What the weights are stored in.
        overwrite: Whether to replace a bundle that lies at the target.
        custom_ops: Whether modules with depthwise 3D convolutions get variants with vidrt's operators as well.
        separable: Whether a depthwise convolution and the 1x1x1 convolution after it become one operator there.
        int8_alone: Whether modules with INT8 among their precisions get no other graphs, and the weights that are then
            not needed are not stored.
    """

    precisions: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    storage: Precision = "fp16"
    overwrite: bool = False
    custom_ops: bool = True
    separable: bool = True
    int8_alone: bool = False

    def precisions_of(self, module: str) -> tuple[Precision, ...]:
        """What a module's graphs compute in besides fp32."""
        return cast(tuple[Precision, ...], tuple(word for word in self._wishes(module) if word != INT8))

    def int8_of(self, module: str) -> bool:
        """Whether a module gets graphs with weights of eight bits."""
        return INT8 in self._wishes(module)

    def _wishes(self, module: str) -> tuple[str, ...]:
        return self.precisions.get(module, self.precisions.get(EVERY_MODULE, ()))


@dataclasses.dataclass(frozen=True)
class GraphSummary:
    """One exported graph: a variant of a module."""

    module: str
    variant: str
    nodes: int
    bytes: int
    parity: parity.Parity


@dataclasses.dataclass(frozen=True)
class ExportSummary:
    """What an export wrote, and by module what became of its depthwise convolutions (nothing with custom_ops off)."""

    path: Path
    weight_bytes: int
    graphs: list[GraphSummary]
    rewrites: dict[str, Report]


Progress = Callable[[str, int, int], None]
"""Called with what is being done, and how many of how many parts are done."""


@dataclasses.dataclass(frozen=True)
class _Traced:
    spec: ModuleSpec
    module: nn.Module
    model: ir.Model


def export_bundle(
    spec: BundleSpec, target: Path, options: ExportOptions, on_progress: Progress | None = None
) -> ExportSummary:
    """Export a declared model to a bundle folder.

    The networks of the declaration are rounded to the storage precision in place.

    Args:
        spec: The declaration.
        target: The bundle's folder, which appears whole or not at all.
        options: How to export.
        on_progress: Told what is being done.

    Raises:
        InvalidArgument: The options or the target do not fit.
        ExportError: The model cannot be exported, or a graph does not compute what PyTorch computes.
        IoError: The disk refuses.
        BundleError: The core's reader refuses the result, which is a bug of the exporter.
    """
    _check_options(spec, options)
    parts = _Parts(2 * len(spec.modules) + 2, on_progress)
    with staged_folder(target, overwrite=options.overwrite) as root:
        for network in spec.networks.values():
            network.eval()
        round_weights(spec.networks, options.storage)
        weights = named_weights(spec.networks, options.storage)
        traced = []
        for module in spec.modules:
            parts.begin(f"tracing {module.name}")
            traced.append(_trace(module, weights))
        parts.begin("writing weights")
        constants = [graph_file.take_out_constants(item.model, weights) for item in traced]
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
        narrow = _write_narrow(root, weights, graphs.values(), options)
        files = _Files(write_weights(root, weights), narrow, own)
        records = []
        for item in traced:
            parts.begin(f"comparing {item.spec.name}")
            for variant in graphs[item.spec.name].variants:
                records.append(_finish(item, variant, files, root, options))
        parts.begin("opening the bundle")
        for path, content in ({} if spec.tokenizer is None else spec.tokenizer.files).items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(content)
        manifest = json.dumps(manifest_of(spec, files.all(), records), indent=1, ensure_ascii=False)
        (root / FILE_NAME).write_text(manifest + "\n", encoding="utf-8")
        # The reader is the one validator; what it refuses must not reach the target.
        Bundle(root).verify()
    parts.end()
    nodes = {(name, variant.id): len(variant.model.graph) for name, made in graphs.items() for variant in made.variants}
    summaries = [
        GraphSummary(record.module.name, record.id, nodes[record.module.name, record.id], record.bytes, record.parity)
        for record in records
    ]
    weight_bytes = sum(file.bytes for file in files.all())
    return ExportSummary(target, weight_bytes, summaries, {name: made.report for name, made in graphs.items()})


class _Parts:
    """Counts the parts of an export for its caller."""

    def __init__(self, total: int, on_progress: Progress | None) -> None:
        self._total = total
        self._begun = 0
        self._on_progress = on_progress or (lambda what, done, total: None)

    def begin(self, what: str) -> None:
        self._on_progress(what, self._begun, self._total)
        self._begun += 1

    def end(self) -> None:
        self._on_progress("done", self._total, self._total)


def _check_options(spec: BundleSpec, options: ExportOptions) -> None:
    if options.storage not in STORAGES:
        raise InvalidArgument(f"got --storage {options.storage}, expected one of {', '.join(STORAGES)}.")
    names = [module.name for module in spec.modules]
    check_modules(options.precisions, names, spec.name)
    for module in spec.modules:
        for precision in options.precisions_of(module.name):
            if precision not in spec.compute or precision not in module.tolerance:
                raise InvalidArgument(
                    f"{spec.family} computes in {' or '.join(spec.compute)}, got --precision {precision} for "
                    f"{module.name}; a narrower storage of the weights is --storage."
                )
        if options.int8_of(module.name):
            _check_int8(spec, module)
    if options.int8_alone and not any(options.int8_of(name) for name in names):
        raise InvalidArgument("got --int8-alone, but no module has int8; expected --precision text_encoder=int8.")
    steps = {options.precisions_of(name) for name in _DECODER_STEPS if name in names}
    if len(steps) > 1:
        raise InvalidArgument(
            f"{' and '.join(_DECODER_STEPS)} are one decoder, which has its variants for both; give both the same "
            "--precision."
        )


def _check_int8(spec: BundleSpec, module: ModuleSpec) -> None:
    if INT8 not in module.tolerance:
        known = [item.name for item in spec.modules if INT8 in item.tolerance]
        raise InvalidArgument(
            f"{spec.family} has int8 for {' and '.join(known) or 'no module'}, got it for {module.name}; write it with "
            "the module, as text_encoder=int8."
        )
    version = tuple(int(part) for part in onnxruntime.__version__.split(".")[:2])
    if version < INT8_ONNXRUNTIME:
        raise InvalidArgument(
            f"int8 needs ONNX Runtime {'.'.join(map(str, INT8_ONNXRUNTIME))} or later to compare its graphs with "
            f"PyTorch, this is {onnxruntime.__version__}; install a later one, or leave int8 out."
        )


def _trace(spec: ModuleSpec, weights: dict[str, Weight]) -> _Traced:
    module = spec.build().eval()
    model = trace(spec, module)
    graph_passes.rename_initializers(model, stored_names(module, weights))
    graph_passes.clean(model, weights)
    return _Traced(spec, module, model)


def _graphs(traced: list[_Traced], weights: Mapping[str, Weight], options: ExportOptions) -> dict[str, ModuleGraphs]:
    """The variants of every module."""
    graphs = {item.spec.name: stock_graph(item.model) for item in traced}
    if options.custom_ops:
        for name, stock in graphs.items():
            graphs[name] = with_custom_ops(stock, weights, separable=options.separable)
        steps = [name for name in _DECODER_STEPS if name in graphs]
        graphs.update(zip(steps, alike([graphs[name] for name in steps]), strict=True))
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
            _check_range(rounded, precision)
            files[precision] = write_weights(root, rounded)
    return files


def _check_range(weights: Mapping[str, Weight], precision: Precision) -> None:
    for name, weight in weights.items():
        if not bool(torch.isfinite(weight.tensor.to(weight.dtype)).all()):
            raise ExportError(
                f"the weight {name} holds the value {float(weight.tensor.abs().max()):g}, which {precision} cannot "
                "hold; leave the module out of --precision, or take bf16."
            )


def _finish(traced: _Traced, variant: Variant, files: _Files, root: Path, options: ExportOptions) -> GraphRecord:
    spec = traced.spec
    path = f"{spec.name}{variant.file_suffix}"
    if variant.int8:
        graph_file.refer_to(variant.model, files.own[spec.name, variant.id])
    graph_file.refer_to(variant.model, files.main, files.narrow.get(variant.precision))
    graph_file.write_graph(root, path, variant.model)
    session = _session(root, path, variant)
    allowed = parity.Allowed(spec.tolerance[variant.precision])
    if variant.int8:
        allowed = parity.Allowed(spec.tolerance[INT8], spec.least_cosine)
    measured = parity.measure(spec, traced.module, session, allowed)
    content = (root / path).read_bytes()
    data_files = _data_files(variant, files)
    return GraphRecord(
        module=spec,
        id=variant.id,
        custom_ops=variant.custom_ops,
        backends=variant.backends,
        file=path,
        bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        data_files=data_files,
        precision=variant.precision,
        storage=INT8 if variant.int8 else options.storage if data_files == (files.main.path,) else variant.precision,
        parity=measured if variant.precision == "fp32" else dataclasses.replace(measured, method="emulated"),
    )


def _data_files(variant: Variant, files: _Files) -> tuple[str, ...]:
    values = variant.model.graph.initializers.values()
    used = {str(value.const_value.location) for value in values if isinstance(value.const_value, ir.ExternalTensor)}
    return tuple(file.path for file in files.all() if file is files.main or file.path in used)


def _session(root: Path, path: str, variant: Variant) -> InferenceSession:
    """A session of a written graph, in the form of it that ONNX Runtime's processor kernels compute."""
    custom_ops = any(name.startswith(f"{DOMAIN}::") for name in variant.custom_ops)
    if not variant.for_plugins and variant.precision == "fp32":
        return parity.open_session(root / path, custom_ops=custom_ops)
    model = ir.load(root / path)
    if variant.for_plugins:
        from_plugin_form(model)
    emulate(model)
    copy = f"{Path(path).stem}.compared.onnx"
    graph_file.write_graph(root, copy, model)
    try:
        return parity.open_session(root / copy, custom_ops=custom_ops)
    finally:
        (root / copy).unlink()
