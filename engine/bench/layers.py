"""What layers take: a few generations with every layer timed, as a file that docs/layers.schema.json describes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

import vidrt
from vidrt.engine.bench.files import Strict, checked
from vidrt.engine.bench.machine import these_versions, this_machine
from vidrt.engine.bench.measuring import PROMPT, split_settings
from vidrt.engine.bench.results import Machine, Versions
from vidrt.engine.bench.scenario import Case, Count
from vidrt.engine.builder import BuildEvent
from vidrt.engine.events import CancelToken
from vidrt.engine.writers.staging import write_whole


class Layer(Strict):
    """One layer as the backend runs it."""

    name: str
    type: str
    """The operator; empty where the backend does not say."""
    median_ms: float = Field(ge=0)
    share: float = Field(ge=0, le=1.000001)
    """Of the medians of all layers of the module."""


class ModuleLayers(Strict):
    """The layers of one module, the slowest first."""

    module: str
    variant: str
    runs: int = Field(ge=0)
    missed_runs: int = Field(ge=0)
    """Runs of which the backend kept no times."""
    run_ms: float = Field(ge=0)
    """Median of whole runs."""
    layers: tuple[Layer, ...]


class LayersResult(Strict):
    """A file of `vidrt bench layers`. Its times are not those of a run without a profile."""

    schema_version: Literal[1]
    machine: Machine
    versions: Versions
    bundle: str
    backend: str
    """The runtime with its version."""
    settings: Case
    repetitions: Count
    """Generations that were profiled."""
    modules: tuple[ModuleLayers, ...]


def open_for_profile(
    bundle: Path, settings: dict[str, Any], on_build: Callable[[BuildEvent], object] | None = None
) -> vidrt.TextToVideoPipeline:
    """Open what profile_layers() runs. Everything is checked before anything is loaded.

    Args:
        bundle: The folder.
        settings: Attributes of Case that are set.
        on_build: Build engines that are missing first, and tell of it; None does not build.

    Raises:
        InvalidArgument: A setting cannot be used, or the backend times no layers.
        BundleError: The bundle cannot be used, or has only a decoder.
        BackendError: The backend, a library or an engine is missing.
    """
    _case(settings)
    opened, _ = split_settings(settings)
    builds = on_build is not None
    pipe = vidrt.TextToVideoPipeline(bundle, **opened, profile_layers=True, build_engines=builds, on_build=on_build)
    pipe.check(_generation(settings))
    return pipe


def profile_layers(
    pipe: vidrt.TextToVideoPipeline, settings: dict[str, Any], repetitions: int, cancel: CancelToken | None = None
) -> LayersResult:
    """Generate so often, and say what the layers took.

    Args:
        pipe: From open_for_profile() with these settings.
        settings: Attributes of Case that are set.
        repetitions: Generations.
        cancel: Ends it.

    Raises:
        BackendError: The backend fails.
        Cancelled: `cancel` asked for it.
    """
    options = _generation(settings)
    for _ in range(repetitions):
        pipe.generate(options, vidrt.Callbacks(on_warning=lambda _: None, cancel=cancel))
    value = {
        "schema_version": 1,
        "machine": this_machine().model_dump(mode="json"),
        "versions": these_versions().model_dump(mode="json"),
        "bundle": pipe.bundle.path.resolve().name,
        "backend": pipe.backend,
        "settings": _case(settings).model_dump(mode="json"),
        "repetitions": repetitions,
        **pipe.take_layer_profile().to_dict(),
    }
    return checked(LayersResult, value, "the profile")


def _case(settings: dict[str, Any]) -> Case:
    return checked(Case, {"label": "layers", **settings}, "the command's options")


def _generation(settings: dict[str, Any]) -> vidrt.GenerateOptions:
    _, given = split_settings(settings)
    return vidrt.GenerateOptions(PROMPT, seed=0, keep_frames=False, **given)


def write_layers(path: Path, result: LayersResult) -> None:
    """Write the file whole. Raises IoError."""
    write_whole(path, (json.dumps(result.model_dump(mode="json"), indent=1) + "\n").encode())


def render_layers(result: LayersResult, most: int) -> str:
    """Tables for people: of each module its operators, where the backend says them, and the layers that take most."""
    lines: list[str] = []
    for module in result.modules:
        together = sum(layer.median_ms for layer in module.layers)
        lines.append(
            f"{module.module} ({module.variant}): {module.runs} runs of {module.run_ms:.2f} ms, "
            f"{len(module.layers)} layers of {together:.2f} ms together"
        )
        if module.missed_runs:
            lines.append(f"  the backend kept no times of {module.missed_runs} more runs")
        if all(layer.type for layer in module.layers):
            lines += [*_rows(_operators(module), most, "operators"), ""]
        rows = [
            (f"{one.name} ({one.type})" if one.type else one.name, one.median_ms, one.share) for one in module.layers
        ]
        lines += [*_rows(rows, most, "layers"), ""]
    return "\n".join(lines)


_Row = tuple[str, float, float]


def _operators(module: ModuleLayers) -> list[_Row]:
    of_type: dict[str, list[Layer]] = {}
    for layer in module.layers:
        of_type.setdefault(layer.type, []).append(layer)
    rows = [
        (f"{len(some)} x {kind}", sum(one.median_ms for one in some), sum(one.share for one in some))
        for kind, some in of_type.items()
    ]
    return sorted(rows, key=lambda row: -row[1])


def _rows(rows: list[_Row], most: int, what: str) -> list[str]:
    shown, rest = rows[:most], rows[most:]
    if rest:
        shown = [*shown, (f"{len(rest)} other {what}", sum(row[1] for row in rest), sum(row[2] for row in rest))]
    # A name is a stranger's text: it may not end its line.
    return [f"  {ms:10.3f} ms {100 * share:5.1f} %  {' '.join(name.split())}" for name, ms, share in shown]
