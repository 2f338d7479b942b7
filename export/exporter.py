"""The whole way from a declaration to a bundle: round, trace, clean, store, compare, write, open."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Collection
from pathlib import Path

import onnx_ir as ir
from onnxruntime import InferenceSession
from torch import nn

from vidrt.engine.bundle import Bundle
from vidrt.engine.errors import InvalidArgument
from vidrt.export import graph_file, graph_passes, parity
from vidrt.export.depthwise.plugin_form import from_plugin_form
from vidrt.export.depthwise.report import Report
from vidrt.export.manifest import FILE_NAME, GraphRecord, manifest_of
from vidrt.export.spec import BundleSpec, ModuleSpec, Precision
from vidrt.export.to_onnx import trace
from vidrt.export.variants import PLUGIN, ModuleGraphs, Variant, alike, stock_graph, with_custom_ops
from vidrt.export.weights import Weight, WeightFile, named_weights, round_weights, stored_names, write_weights
from vidrt.export.writer import staged_folder

STORAGES: tuple[Precision, ...] = ("fp16", "fp32")
_DECODER_STEPS = ("vae_decoder_first", "vae_decoder_next")
_BYTES = {"fp32": 4, "fp16": 2, "bf16": 2}


@dataclasses.dataclass(frozen=True)
class ExportOptions:
    """How to export.

    Args:
        precision: What the graphs compute in.
        storage: What the weights are stored in; at most as wide as `precision`.
        overwrite: Whether to replace a bundle that lies at the target.
        custom_ops: Whether modules with depthwise 3D convolutions get variants with vidrt's operators as well.
        separable: Whether a depthwise convolution and the 1x1x1 convolution after it become one operator there.
    """

    precision: Precision = "fp32"
    storage: Precision = "fp16"
    overwrite: bool = False
    custom_ops: bool = True
    separable: bool = True


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
        file = write_weights(root, weights)
        records = []
        for item in traced:
            parts.begin(f"comparing {item.spec.name}")
            for variant in graphs[item.spec.name].variants:
                records.append(_finish(item, variant, file, root, options))
        parts.begin("opening the bundle")
        for path, content in ({} if spec.tokenizer is None else spec.tokenizer.files).items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(content)
        manifest = json.dumps(manifest_of(spec, file, records), indent=1, ensure_ascii=False)
        (root / FILE_NAME).write_text(manifest + "\n", encoding="utf-8")
        # The reader is the one validator; what it refuses must not reach the target.
        Bundle(root).verify()
    parts.end()
    nodes = {(name, variant.id): len(variant.model.graph) for name, made in graphs.items() for variant in made.variants}
    summaries = [
        GraphSummary(record.module.name, record.id, nodes[record.module.name, record.id], record.bytes, record.parity)
        for record in records
    ]
    return ExportSummary(target, file.bytes, summaries, {name: made.report for name, made in graphs.items()})


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
    if options.precision not in spec.compute:
        raise InvalidArgument(
            f"{spec.family} computes in {' or '.join(spec.compute)}, got --dtype {options.precision}; "
            "a narrower storage of the weights is --storage."
        )
    if options.storage not in STORAGES or _BYTES[options.storage] > _BYTES[options.precision]:
        raise InvalidArgument(
            f"got --storage {options.storage} with --dtype {options.precision}; expected one of "
            f"{', '.join(STORAGES)}, no wider than the graphs compute in."
        )


def _trace(spec: ModuleSpec, weights: dict[str, Weight]) -> _Traced:
    module = spec.build().eval()
    model = trace(spec, module)
    graph_passes.rename_initializers(model, stored_names(module, weights))
    graph_passes.clean(model, weights)
    return _Traced(spec, module, model)


def _graphs(traced: list[_Traced], weights: Collection[str], options: ExportOptions) -> dict[str, ModuleGraphs]:
    """The variants of every module."""
    graphs = {item.spec.name: stock_graph(item.model, options.precision) for item in traced}
    if not options.custom_ops:
        return graphs
    for name, stock in graphs.items():
        graphs[name] = with_custom_ops(stock, weights, separable=options.separable)
    steps = [name for name in _DECODER_STEPS if name in graphs]
    graphs.update(zip(steps, alike([graphs[name] for name in steps]), strict=True))
    return graphs


def _finish(traced: _Traced, variant: Variant, file: WeightFile, root: Path, options: ExportOptions) -> GraphRecord:
    spec = traced.spec
    stock = variant.id == options.precision
    path = f"{spec.name}.{options.precision}.onnx" if stock else f"{spec.name}.{options.precision}.{variant.id}.onnx"
    graph_file.refer_to(variant.model, file)
    graph_file.write_graph(root, path, variant.model)
    session = _session(root, path, variant)
    measured = parity.measure(spec, traced.module, session, spec.tolerance[options.precision])
    content = (root / path).read_bytes()
    return GraphRecord(
        module=spec,
        id=variant.id,
        custom_ops=variant.custom_ops,
        backends=variant.backends,
        file=path,
        bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        precision=options.precision,
        storage=options.storage,
        parity=measured,
    )


def _session(root: Path, path: str, variant: Variant) -> InferenceSession:
    """A session of a written graph. One for plugins runs as what its nodes say in ONNX Runtime's form of them."""
    if variant.id != PLUGIN:
        return parity.open_session(root / path, custom_ops=bool(variant.custom_ops))
    model = ir.load(root / path)
    from_plugin_form(model)
    copy = f"{Path(path).stem}.compared.onnx"
    graph_file.write_graph(root, copy, model)
    try:
        return parity.open_session(root / copy, custom_ops=True)
    finally:
        (root / copy).unlink()
