"""The whole way from a declaration to a bundle: each part exported, the manifest written, the result opened."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

from vidrt.engine.bundle import Bundle
from vidrt.export import parity
from vidrt.export.comparisons import Comparisons
from vidrt.export.depthwise.report import Report
from vidrt.export.finished_parts import FinishedParts, export_key
from vidrt.export.manifest import FILE_NAME, manifest_of
from vidrt.export.options import ExportOptions, check_options, check_scheduler
from vidrt.export.part_export import ExportedPart, export_part, steps_of
from vidrt.export.spec import BundleSpec, Part
from vidrt.export.tokenizer_files import write_files
from vidrt.export.writer import RECORDS, staged_folder


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
    """What an export wrote.

    Args:
        path: The bundle's folder.
        weight_bytes: Of all files of weights.
        graphs: All graphs.
        rewrites: By module, what became of its depthwise convolutions (nothing with custom_ops off).
        resumed: The modules that an interrupted export before this one had finished.
    """

    path: Path
    weight_bytes: int
    graphs: list[GraphSummary]
    rewrites: dict[str, Report]
    resumed: tuple[str, ...] = ()


Progress = Callable[[str, int, int], None]
"""Called with what is being done, and how many of how many parts are done."""


def export_bundle(
    spec: BundleSpec, target: Path, options: ExportOptions, on_progress: Progress | None = None
) -> ExportSummary:
    """Export a declared model to a bundle folder.

    Where the declaration names the files that it comes from, an export that was interrupted, or that the disk refused,
    leaves its finished parts beside the target, and what was compared of the part after them; the same export goes on
    from there.

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
    check_options(spec, options)
    check_scheduler(spec)
    steps = _Steps(sum(steps_of(part) for part in spec.parts) + 1, on_progress)
    key = export_key(spec, options)
    with staged_folder(target, overwrite=options.overwrite, key=key) as root:
        if key is None:
            parts = [export_part(part, root, options, steps.begin, Comparisons(None)) for part in spec.parts]
        else:
            parts = [_resumed(part, root, options, steps) for part in spec.parts]
        files = [file for part in parts for file in part.files]
        graphs = [graph for part in parts for graph in part.graphs]
        steps.begin("opening the bundle")
        if spec.tokenizer is not None:
            write_files(spec.tokenizer, root)
        manifest = json.dumps(manifest_of(spec, files, graphs), indent=1, ensure_ascii=False)
        (root / FILE_NAME).write_text(manifest + "\n", encoding="utf-8")
        # The reader is the one validator; what it refuses must not reach the target.
        Bundle(root).verify()
    steps.end()
    summaries = [GraphSummary(graph.module, graph.id, graph.nodes, graph.bytes, graph.parity) for graph in graphs]
    rewrites = {name: report for part in parts for name, report in part.rewrites.items()}
    return ExportSummary(target, sum(file.bytes for file in files), summaries, rewrites, tuple(steps.resumed))


def _resumed(part: Part, root: Path, options: ExportOptions, steps: _Steps) -> ExportedPart:
    """Export a part, unless a try before this one did; record it for the next."""
    records = FinishedParts(root)
    exported = records.load(part)
    if exported is not None:
        steps.skip(part)
        return exported
    exported = export_part(part, root, options, steps.begin, Comparisons(root / RECORDS))
    records.save(part, exported)
    return exported


class _Steps:
    """Counts the steps of an export for its caller."""

    def __init__(self, total: int, on_progress: Progress | None) -> None:
        self._total = total
        self._begun = 0
        self.resumed: list[str] = []
        self._on_progress = on_progress or (lambda what, done, total: None)

    def begin(self, what: str) -> None:
        self._on_progress(what, self._begun, self._total)
        self._begun += 1

    def skip(self, part: Part) -> None:
        self._begun += steps_of(part)
        self.resumed += [module.name for module in part.modules]

    def end(self) -> None:
        self._on_progress("done", self._total, self._total)
