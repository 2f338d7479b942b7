"""What an interrupted export had finished, so that the same export goes on from there."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from vidrt.engine.errors import InvalidArgument
from vidrt.export.depthwise.report import Report, Rewritten, Skipped
from vidrt.export.manifest import GraphRecord
from vidrt.export.options import ExportOptions
from vidrt.export.parity import Parity
from vidrt.export.part_export import ExportedPart
from vidrt.export.spec import BundleSpec, Part
from vidrt.export.weights import DataFile
from vidrt.export.writer import RECORDS, flush

_TOOLS = ("torch", "onnx", "onnxscript", "onnx-ir", "onnxruntime", "numpy", "diffusers", "transformers")


def export_key(spec: BundleSpec, options: ExportOptions) -> str | None:
    """Equal for exports of the same files in the same way; None where the weights come from no files.

    A file is the same while its path, size and time of change are: reading gigabytes to be sure would take as long as
    the export.

    Raises:
        InvalidArgument: A file is gone.
    """
    if not spec.sources:
        return None
    try:
        stamps = [(str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns) for path in sorted(spec.sources)]
    except OSError as error:
        raise InvalidArgument(f"{error.filename} cannot be read: {error.strerror}.") from error
    facts = {
        "sources": stamps,
        "options": dataclasses.asdict(dataclasses.replace(options, overwrite=False)),
        "parts": [[module.name for module in part.modules] for part in spec.parts],
        "tools": _versions(),
        "exporter": _own_sources(),
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def _versions() -> dict[str, str | None]:
    def version(tool: str) -> str | None:
        try:
            return metadata.version(tool)
        except metadata.PackageNotFoundError:  # not every family needs every one
            return None

    return {tool: version(tool) for tool in _TOOLS}


def _own_sources() -> str:
    """A hash of the exporter itself, whose version stands still while it is worked on."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


class FinishedParts:
    """The records of finished parts in a staging folder, beside their files.

    Args:
        root: The staging folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def load(self, part: Part) -> ExportedPart | None:
        """What a part became in a try before this one; None where that did not finish it."""
        try:
            exported = _part_of(json.loads(self._record(part).read_text(encoding="utf-8")))
            whole = all((self._root / path).stat().st_size == size for path, size in _sizes(exported).items())
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return exported if whole else None

    def save(self, part: Part, exported: ExportedPart) -> None:
        """Record a part once its files are on the disk.

        Raises:
            OSError: The disk refuses.
        """
        flush(self._root / path for path in _sizes(exported))
        record = self._record(part)
        record.parent.mkdir(exist_ok=True)
        unnamed = record.with_suffix(".new")
        unnamed.write_text(json.dumps(dataclasses.asdict(exported)), encoding="utf-8")
        unnamed.replace(record)

    def _record(self, part: Part) -> Path:
        return self._root / RECORDS / f"{part.modules[0].name}.json"


def _sizes(exported: ExportedPart) -> dict[str, int]:
    """The bytes of each file of a part, by path."""
    files = {file.path: file.bytes for file in exported.files}
    return {**files, **{graph.file: graph.bytes for graph in exported.graphs}}


def _part_of(entry: Mapping[str, Any]) -> ExportedPart:
    return ExportedPart(
        files=[DataFile(file["path"], file["bytes"], file["sha256"]) for file in entry["files"]],
        graphs=[_graph_of(graph) for graph in entry["graphs"]],
        rewrites={name: _report_of(report) for name, report in entry["rewrites"].items()},
    )


def _graph_of(entry: Mapping[str, Any]) -> GraphRecord:
    lists = {key: tuple(entry[key]) for key in ("custom_ops", "backends", "data_files")}
    return GraphRecord(**{**entry, **lists, "parity": Parity(**entry["parity"])})


def _report_of(entry: Mapping[str, Any]) -> Report:
    rewritten = [Rewritten(item["node"], item["operator"], tuple(item["absorbed"])) for item in entry["rewritten"]]
    return Report(tuple(rewritten), tuple(Skipped(**item) for item in entry["skipped"]))
