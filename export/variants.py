"""The graphs that a bundle has of a module: with vidrt's operators where a backend has them, and the stock one."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence

import onnx_ir as ir

from vidrt.export.depthwise.match import DOMAIN
from vidrt.export.depthwise.plugin_form import to_plugin_form
from vidrt.export.depthwise.report import Report, Skipped
from vidrt.export.depthwise.rewrite import rewrite

CUSTOM_OPS, PLUGIN = "vidrt", "plugin"
"""Ids of the variants with operators of vidrt. The stock graph's is the precision."""

_BACKENDS = {
    # TensorRT for RTX takes no plugins from ONNX graphs.
    CUSTOM_OPS: ("onnxruntime",),
    PLUGIN: ("tensorrt",),
}
_ALL_BACKENDS = ("onnxruntime", "onnxruntime-cuda", "tensorrt", "tensorrt-rtx")


@dataclasses.dataclass(frozen=True)
class Variant:
    """One graph of a module.

    Args:
        id: Its id in the manifest.
        model: The graph.
        backends: Those that can run it where its custom operators are there.
        custom_ops: Operators that are not ONNX's own, as "vidrt::DepthwiseConv3d"; sorted.
    """

    id: str
    model: ir.Model
    backends: tuple[str, ...]
    custom_ops: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class ModuleGraphs:
    """The variants of a module, the preferred first and the stock graph last, and what the pass did to make them."""

    variants: tuple[Variant, ...]
    report: Report


def stock_graph(model: ir.Model, precision: str) -> ModuleGraphs:
    """The graph as it was exported, alone."""
    return ModuleGraphs((Variant(precision, model, _ALL_BACKENDS),), Report())


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
