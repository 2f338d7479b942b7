"""The graphs that a bundle has of a module: stock ones, those with vidrt's operators, and those of low precision."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence

import onnx_ir as ir

from vidrt.export.depthwise.match import DOMAIN
from vidrt.export.depthwise.plugin_form import to_plugin_form
from vidrt.export.depthwise.report import Report, Skipped
from vidrt.export.depthwise.rewrite import rewrite
from vidrt.export.errors import ExportError
from vidrt.export.precision.rewrite import to_precision
from vidrt.export.quantisation.rewrite import MATMUL_NBITS, to_dequantize, to_matmul_nbits
from vidrt.export.spec import INT8, ModuleSpec, Precision
from vidrt.export.weights import Weight

CUSTOM_OPS, PLUGIN, PROCESSOR, DEQUANTIZE = "vidrt", "plugin", "processor", "dequantize"
"""Ids of the variants in fp32 with operators of vidrt, and of the one in the form for processors. The stock graph's is
the precision, and one with plugins in low precision has both, as fp16-plugin; int8 is for ONNX Runtime,
int8-dequantize for TensorRT."""

_BACKENDS = {
    # TensorRT for RTX takes no plugins from ONNX graphs.
    CUSTOM_OPS: ("onnxruntime",),
    PLUGIN: ("tensorrt",),
    PROCESSOR: ("onnxruntime",),
}
_LOW_BACKENDS = ("tensorrt", "tensorrt-rtx")
"""Those that compute in low precision. On a processor fp32 is faster, and nothing was measured of onnxruntime-cuda."""
_ALL_BACKENDS = ("onnxruntime", "onnxruntime-cuda", "tensorrt", "tensorrt-rtx")


@dataclasses.dataclass(frozen=True)
class Variant:
    """One graph of a module.

    Args:
        id: Its id in the manifest.
        model: The graph.
        backends: Those that can run it where its custom operators are there.
        custom_ops: Operators that are not ONNX's own, as "vidrt::DepthwiseConv3d"; sorted.
        precision: What it computes in.
        own_weights: Weights that no other variant has, by name.
    """

    id: str
    model: ir.Model
    backends: tuple[str, ...]
    custom_ops: tuple[str, ...] = ()
    precision: Precision = "fp32"
    own_weights: Mapping[str, Weight] = dataclasses.field(default_factory=dict)

    @property
    def has_vidrt_ops(self) -> bool:
        """Whether operators of vidrt are among its own."""
        return any(name.startswith(f"{DOMAIN}::") for name in self.custom_ops)

    @property
    def for_plugins(self) -> bool:
        """Whether its operators have the form that TensorRT's plugins take."""
        return self.has_vidrt_ops and self.backends == _BACKENDS[PLUGIN]

    @property
    def int8(self) -> bool:
        """Whether its linear layers have weights of eight bits."""
        return bool(self.own_weights)

    @property
    def file_suffix(self) -> str:
        """The end of its file's name: ".fp32.onnx" of the stock graph, ".fp16.plugin.onnx" of one with plugins."""
        kind = self.id.removeprefix(self.precision).removeprefix("-")
        return f".{self.precision}.{kind}.onnx" if kind else f".{self.precision}.onnx"


def form_of(module: ModuleSpec, variant: str) -> ModuleSpec:
    """The declaration of what a variant of a module is a graph of."""
    form = module.processor_form if variant == PROCESSOR else None
    return module if form is None else form


@dataclasses.dataclass(frozen=True)
class ModuleGraphs:
    """The variants of a module, the preferred first and the stock graph last, and what the pass did to make them."""

    variants: tuple[Variant, ...]
    report: Report


def stock_graph(model: ir.Model) -> ModuleGraphs:
    """The graph as it was exported, in fp32, alone."""
    return ModuleGraphs((Variant("fp32", model, _ALL_BACKENDS),), Report())


def with_custom_ops(stock: ModuleGraphs, weights: Collection[str], *, separable: bool) -> ModuleGraphs:
    """Variants with vidrt's operators before the stock graph, where there is anything to rewrite.

    Args:
        stock: What stock_graph() gave.
        weights: Names of the initialisers that are weights.
        separable: Whether a depthwise convolution and the 1x1x1 convolution after it become one operator.
    """
    (plain,) = stock.variants
    rewritten = plain.model.clone()
    report = rewrite(rewritten, weights, separable=separable)
    if not report.rewritten:
        return ModuleGraphs(stock.variants, report)
    plugins = rewritten.clone()
    to_plugin_form(plugins)
    operators = tuple(f"{DOMAIN}::{name}" for name in report.counts())
    made = (
        Variant(name, model, _BACKENDS[name], operators) for name, model in ((CUSTOM_OPS, rewritten), (PLUGIN, plugins))
    )
    return ModuleGraphs((*made, plain), report)


def with_processor_form(graphs: ModuleGraphs, model: ir.Model | None) -> ModuleGraphs:
    """The graph in the form for processors before all others, where there is one."""
    if model is None:
        return graphs
    operators = sorted({f"{node.domain}::{node.op_type}" for node in model.graph if node.domain})
    variant = Variant(PROCESSOR, model, _BACKENDS[PROCESSOR], tuple(operators))
    return ModuleGraphs((variant, *graphs.variants), graphs.report)


def with_low_precision(graphs: ModuleGraphs, precisions: Sequence[Precision], weights: Collection[str]) -> ModuleGraphs:
    """Variants in low precision before those in fp32 that TensorRT takes, the first wished for first.

    Args:
        graphs: What stock_graph() or with_custom_ops() gave.
        precisions: Those to add; fp32, which is there, counts for nothing.
        weights: Names of the initialisers that are weights.

    Raises:
        ExportError: A graph has no form in the precision.
    """
    made = []
    for precision in precisions:
        if precision == "fp32":
            continue
        for variant in graphs.variants:
            if variant.id not in (CUSTOM_OPS, "fp32"):
                continue
            model = variant.model.clone()
            to_precision(model, precision, weights)
            if variant.id == CUSTOM_OPS:
                to_plugin_form(model)
                made.append(Variant(f"{precision}-{PLUGIN}", model, _BACKENDS[PLUGIN], variant.custom_ops, precision))
            else:
                made.append(Variant(precision, model, _LOW_BACKENDS, (), precision))
    first = [variant for variant in graphs.variants if not set(_LOW_BACKENDS) & set(variant.backends)]
    last = [variant for variant in graphs.variants if variant not in first]
    return ModuleGraphs((*first, *made, *last), graphs.report)


def with_int8(graphs: ModuleGraphs, weights: Mapping[str, Weight], *, alone: bool) -> ModuleGraphs:
    """Variants whose linear layers have weights of eight bits after all others, which are preferred.

    Args:
        graphs: What the functions above gave.
        weights: The weights by name.
        alone: Whether the others are left out.

    Raises:
        ExportError: No linear layer is large enough.
    """
    packed, dequantized = graphs.variants[-1].model.clone(), graphs.variants[-1].model.clone()
    own = to_matmul_nbits(packed, weights), to_dequantize(dequantized, weights)
    if not all(own):
        raise ExportError("int8 was asked for a module without a linear layer that is large enough; leave it out.")
    made = (
        Variant(INT8, packed, ("onnxruntime",), (MATMUL_NBITS,), "fp32", own[0]),
        Variant(f"{INT8}-{DEQUANTIZE}", dequantized, _LOW_BACKENDS, (), "fp32", own[1]),
    )
    return ModuleGraphs(made if alone else (*graphs.variants, *made), graphs.report)


def alike(steps: Sequence[ModuleGraphs]) -> list[ModuleGraphs]:
    """Decoder steps whose variants pair up, as a bundle wants them; only stock graphs where they do not.

    One step's caches are the other's, and each step's variant is chosen by itself.
    """
    kinds = {tuple((variant.id, variant.custom_ops) for variant in step.variants) for step in steps}
    if len(kinds) == 1:
        return list(steps)
    reason = "the decoder's other step would have other operators; expected the same in both"
    return [
        ModuleGraphs(
            step.variants[-1:],
            Report((), (*step.report.skipped, *(Skipped(item.node, reason) for item in step.report.rewritten))),
        )
        for step in steps
    ]
