"""manifest.json, schema version 1 (docs/bundle.md)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from importlib import metadata
from typing import Any

import vidrt
from vidrt.export.parity import Parity
from vidrt.export.spec import BundleSpec, Limit, ModuleSpec, Precision, TensorSpec, TokenizerSpec
from vidrt.export.to_onnx import OPSET
from vidrt.export.variants import form_of
from vidrt.export.weights import DataFile

SCHEMA_VERSION = 1
FILE_NAME = "manifest.json"

_TOOLS = ("torch", "onnx", "onnxscript")


@dataclasses.dataclass(frozen=True)
class GraphRecord:
    """What the manifest says of one written graph, and the number of its nodes."""

    module: str
    id: str
    custom_ops: tuple[str, ...]
    backends: tuple[str, ...]
    file: str
    bytes: int
    sha256: str
    data_files: tuple[str, ...]
    precision: Precision
    storage: str
    nodes: int
    parity: Parity


def manifest_of(spec: BundleSpec, files: list[DataFile], graphs: list[GraphRecord]) -> dict[str, Any]:
    """The manifest, as JSON values. A module's graphs are its variants, in the order in which they are given."""
    return {
        "schema_version": SCHEMA_VERSION,
        "name": spec.name,
        "family": spec.family,
        "license": spec.license,
        "created_by": {"vidrt": vidrt.__version__, **{tool: metadata.version(tool) for tool in _TOOLS}},
        **_generation(spec),
        "limits": {name: _limit(limit) for name, limit in spec.limits.items()},
        "vae": _without_none(dataclasses.asdict(spec.vae)),
        "defaults": _defaults(spec),
        "data_files": {file.path: {"bytes": file.bytes, "sha256": file.sha256} for file in files},
        "modules": {
            module.name: {"variants": [_variant(module, graph) for graph in graphs if graph.module == module.name]}
            for module in spec.modules
        },
        "extra": {},
    }


def _generation(spec: BundleSpec) -> dict[str, Any]:
    """What only a generation needs; nothing for a decoder alone."""
    if spec.tokenizer is None or spec.scheduler is None:
        return {}
    return {
        "tokenizer": _tokenizer(spec.tokenizer),
        "scheduler": dict(spec.scheduler),
        "guidance": {"off_at": spec.guidance_off_at, "batch_order": ["negative", "positive"]},
        "text": _text(spec, spec.tokenizer),
        "image_conditioning": spec.image_conditioning,
    }


def _defaults(spec: BundleSpec) -> dict[str, Any]:
    defaults = spec.defaults
    if spec.text_ftfy and defaults.negative_prompt:
        from ftfy import fix_text

        # Once here, so that those who run the bundle without ftfy have it right as well.
        defaults = dataclasses.replace(defaults, negative_prompt=fix_text(defaults.negative_prompt))
    return _without_none(dataclasses.asdict(defaults))


def _without_none(entry: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if value is not None}


def _text(spec: BundleSpec, tokenizer: TokenizerSpec) -> dict[str, Any]:
    text: dict[str, Any] = {"length": tokenizer.max_length, "zero_after_mask": spec.zero_after_mask}
    if spec.text_cleaning != "none":
        text["cleaning"] = spec.text_cleaning
    if spec.text_ftfy:
        text["ftfy"] = True
    if spec.exclusive_words:
        groups = spec.exclusive_words.items()
        text["exclusive_words"] = {name: [list(phrases) for phrases in values] for name, values in groups}
    return text


def _variant(module: ModuleSpec, graph: GraphRecord) -> dict[str, Any]:
    form = form_of(module, graph.id)
    return {
        "id": graph.id,
        "file": graph.file,
        "sha256": graph.sha256,
        "bytes": graph.bytes,
        "data_files": list(graph.data_files),
        "opset": OPSET,
        "precision": graph.precision,
        "storage": graph.storage,
        "custom_ops": list(graph.custom_ops),
        "backends": list(graph.backends),
        "tensors": {"inputs": _tensors(form.inputs), "outputs": _tensors(form.outputs)},
        "parity": _parity(graph.parity),
    }


def _parity(parity: Parity) -> dict[str, Any]:
    entry = _without_none(dataclasses.asdict(parity))
    if parity.method == "run":
        del entry["method"]  # what the reader takes for granted
    return entry


def _tensors(specs: tuple[TensorSpec, ...]) -> list[dict[str, Any]]:
    return [{"name": spec.name, "dtype": spec.dtype, "shape": list(spec.shape)} for spec in specs]


def _tokenizer(spec: TokenizerSpec) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "kind": spec.kind,
        "files": list(spec.files),
        "max_length": spec.max_length,
        "pad_id": spec.pad_id,
        "eos_id": spec.eos_id,
        "added_tokens": dict(spec.added_tokens),
    }
    if spec.unk_id is not None:
        entry["unk_id"] = spec.unk_id
    if not spec.byte_fallback:
        entry["byte_fallback"] = False
    if spec.bos_id is not None:
        entry["bos_id"] = spec.bos_id
    if spec.normalized_added_tokens:
        entry["normalized_added_tokens"] = dict(spec.normalized_added_tokens)
    return entry


def _limit(limit: Limit) -> Mapping[str, Any]:
    measured = None if limit.measured is None else list(limit.measured)
    return {"min": limit.min, "max": limit.max, "step": limit.step, "measured": measured}
