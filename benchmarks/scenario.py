"""What a benchmark measures: scenarios are data files, one question each."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "scenarios"


@dataclasses.dataclass(frozen=True)
class Case:
    """One row of a scenario. Unset values take the bundle's defaults."""

    label: str
    height: int | None = None
    width: int | None = None
    num_frames: int | None = None
    num_inference_steps: int | None = None
    guidance_scale: float | None = None
    decode_chunk: int | None = None
    threads: int | None = None
    pipelines: int | None = None
    """Open so many at once, each of which generates; the last is measured."""
    decode_only: bool | None = None
    """Take a denoiser that costs nothing, and let the frames go as they come."""


@dataclasses.dataclass(frozen=True)
class Scenario:
    """A question and the cases that answer it. Every case runs in a process of its own."""

    name: str
    question: str
    repetitions: int
    warmup: int
    cases: tuple[Case, ...]


def scenario_names() -> list[str]:
    """Names of the scenarios that are there, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def load_scenario(name: str) -> Scenario:
    """Read a scenario by name.

    Raises:
        ValueError: there is no such scenario, or it has a key that is not known.
    """
    path = FOLDER / f"{name}.json"
    if not path.is_file():
        raise ValueError(f"no scenario '{name}'; there are: {', '.join(scenario_names())}.")
    data: dict[str, Any] = json.loads(path.read_text())
    try:
        cases = tuple(Case(**case) for case in data.pop("cases"))
        return Scenario(cases=cases, **data)
    except TypeError as error:
        raise ValueError(f"{path.name}: {error}") from error
