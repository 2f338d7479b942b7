"""The JSON file beside a plan: what it was built from, for what and with what result."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vidrt import _core
from vidrt.engine.builder.build_log import Layer
from vidrt.engine.builder.options import Range
from vidrt.engine.builder.profile import TensorProfile
from vidrt.engine.errors import BackendError

SCHEMA_VERSION = 1
SUFFIX = ".json"
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Source:
    """What an engine was built from.

    Attributes:
        bundle: The bundle's name.
        path: Its folder.
        module: The module.
        variant: The variant of it.
        precision: What it computes in.
        graph_sha256: Of the ONNX file.
        data_files: SHA-256 of the weight files by name.
        initializer_bytes: Its floating-point weights in the precision that it computes in.
    """

    bundle: str
    path: str
    module: str
    variant: str
    precision: str
    graph_sha256: str
    data_files: Mapping[str, str]
    initializer_bytes: int


@dataclass(frozen=True)
class Target:
    """What an engine was built for, and with.

    Attributes:
        backend: "tensorrt" or "tensorrt-rtx".
        version: Of TensorRT.
        compute_capabilities: GPUs that run it, "12.0+" being that and all later.
        machine: The processor's architecture, as "x86_64".
        sizes: The ranges of video sizes that its inputs depend on, as the command line writes them.
        profile: The shapes of every input.
        options: What else was set.
        plugins: SHA-256 of the plugin libraries by file name; they are loaded before the plan.
    """

    backend: str
    version: str
    compute_capabilities: tuple[str, ...]
    machine: str
    sizes: Mapping[str, str]
    profile: Mapping[str, TensorProfile]
    options: Mapping[str, Any]
    plugins: Mapping[str, str]

    def runs_in(self, version: str) -> bool:
        """Whether a TensorRT of this version runs the engine."""
        return bool(self.options.get("version_compatible")) or _core.same_version(self.version, version)


@dataclass(frozen=True)
class Outcome:
    """What came of a build. A figure is None where TensorRT did not say it.

    Attributes:
        plan: The plan's file name.
        bytes: Its size.
        sha256: Of its content.
        activation_bytes: Memory for activations at the largest shapes.
        scratch_bytes: The most that one layer takes besides.
        weight_bytes: Weights as the engine holds them.
        layers: The layer table.
        warnings: What TensorRT warned of.
        build_seconds: How long the build took.
        built: When it ended, ISO 8601 in UTC.
        vidrt: The version that built it.
        streamable_weight_bytes: Of the weights, what may stay on the host and be streamed in every run; None where
            the engine cannot stream, or was not loaded after the build to ask it.
        weight_staging_bytes: Memory that a run takes besides where any weights are streamed; None likewise.
    """

    plan: str
    bytes: int
    sha256: str
    activation_bytes: int | None
    scratch_bytes: int | None
    weight_bytes: int | None
    layers: tuple[Layer, ...]
    warnings: tuple[str, ...]
    build_seconds: float
    built: str
    vidrt: str
    streamable_weight_bytes: int | None = None
    weight_staging_bytes: int | None = None


@dataclass(frozen=True)
class Sidecar:
    """All that is known of a built engine."""

    source: Source
    target: Target
    outcome: Outcome

    def to_dict(self) -> dict[str, Any]:
        """The file's content as JSON values."""
        return {"schema_version": SCHEMA_VERSION, **asdict(self)}

    def to_json(self) -> str:
        """The file's content."""
        return json.dumps(self.to_dict(), indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Sidecar:
        """Read what to_json() wrote. Raises ValueError for anything else."""
        try:
            entry = json.loads(text)
            if entry["schema_version"] != SCHEMA_VERSION:
                raise ValueError(f"schema version {entry['schema_version']}, expected {SCHEMA_VERSION}")
            target, outcome = dict(entry["target"]), dict(entry["outcome"])
            target["compute_capabilities"] = tuple(target["compute_capabilities"])
            target["profile"] = {name: _shapes(value) for name, value in target["profile"].items()}
            for name, size in target["sizes"].items():
                Range.parse(name, size)
            if Path(outcome["plan"]).name != outcome["plan"]:
                raise ValueError(f"the plan {outcome['plan']!r} is no file name")
            outcome["layers"] = tuple(Layer(**layer) for layer in outcome["layers"])
            outcome["warnings"] = tuple(outcome["warnings"])
            return cls(Source(**entry["source"]), Target(**target), Outcome(**outcome))
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{type(error).__name__}: {error}") from error

    def size(self, name: str) -> Range | None:
        """The range of a video size; None where the module does not depend on it."""
        text = self.target.sizes.get(name)
        return None if text is None else Range.parse(name, text)


@dataclass(frozen=True)
class Engine:
    """A built engine in a cache.

    Attributes:
        path: The sidecar's file.
        sidecar: Its content.
    """

    path: Path
    sidecar: Sidecar

    @property
    def plan(self) -> Path:
        """The plan."""
        return self.path.with_name(self.sidecar.outcome.plan)

    @property
    def log(self) -> Path:
        """TensorRT's log of the build."""
        return self.path.with_suffix(".log")

    def check(self) -> None:
        """Read the whole plan, and compare it with the sidecar.

        Raises:
            BackendError: It is missing, was cut short or was changed.
        """
        outcome = self.sidecar.outcome
        try:
            found = self.plan.stat().st_size
            same = found == outcome.bytes and sha256_of(self.plan) == outcome.sha256
        except OSError as error:
            raise BackendError(f"the plan {self.plan} cannot be read: {error.strerror}. {_AGAIN}") from error
        if found != outcome.bytes:
            raise BackendError(f"the plan {self.plan} has {found} bytes, expected {outcome.bytes}. {_AGAIN}")
        if not same:
            raise BackendError(f"the plan {self.plan} was changed after it was built: its SHA-256 differs. {_AGAIN}")


_AGAIN = "It is not used; `vidrt build` builds it again."


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file of any size. Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _shapes(entry: Mapping[str, list[int]]) -> TensorProfile:
    return TensorProfile(tuple(entry["min"]), tuple(entry["opt"]), tuple(entry["max"]))
