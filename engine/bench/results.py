"""What a bench leaves: one JSON file with every run, which docs/bench.schema.json describes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from vidrt.engine.bench.files import Strict, checked, read_json
from vidrt.engine.bench.scenario import Case, Scenario
from vidrt.engine.bench.share import Share
from vidrt.engine.errors import InvalidArgument
from vidrt.engine.writers.staging import write_whole

SCHEMA_VERSION = 2
METRICS = (
    "encode_ms",
    "denoise_ms",
    "decode_ms",
    "total_ms",
    "first_frame_ms",
    "last_step_to_first_frame_ms",
    "chunk_ms",
    "host_share",
)


class Machine(Strict):
    """Where it ran."""

    processor: str
    architecture: str
    cores: int | None
    memory_mib: float | None
    system: str
    gpu: str | None


class Versions(Strict):
    """What ran; None where it is not known."""

    vidrt: str | None
    onnxruntime: str | None
    python: str
    commit: str | None
    packages: dict[str, str]


class Run(Strict):
    """One repetition. Times in milliseconds, loading left out; None for what was not measured."""

    round: int = Field(ge=1)
    encode_ms: float | None
    denoise_ms: float | None
    decode_ms: float | None
    total_ms: float
    first_frame_ms: float | None
    last_step_to_first_frame_ms: float | None
    chunk_ms: float | None
    host_share: float | None
    """Time outside sessions as a part of the total."""


class Memory(Strict):
    """Of the case's process, in MiB; the highest of all rounds."""

    imports_mib: float
    """Resident when all libraries were loaded and nothing was opened."""
    peak_rss_mib: float
    peak_anonymous_mib: float | None
    """Highest of the samples: a peak shorter than the time between two is missed."""
    arena_mib: float | None
    plan_mib: float | None
    """Weights and arena, as `vidrt plan` says."""
    samples: tuple[tuple[float, float, float], ...] = ()
    """Of the last round: milliseconds since the process began, resident MiB, of these anonymous."""


class Statistic(Strict):
    """Of one metric over all runs."""

    median: float
    p90: float
    p99: float


class JudgedClips(Strict):
    """What a probe saw in clips of prompts that name every attribute."""

    all_right: Share
    """All attributes, and exactly one object."""
    one_object: Share
    """Exactly one in every frame."""
    attributes: dict[str, Share]
    """Shape, colour, size, motion, speed (of what moves) and background."""

    @model_validator(mode="after")
    def _has_clips(self) -> JudgedClips:
        if self.all_right.count == 0:
            raise ValueError("no clip was judged")
        return self


class CaseResult(Strict):
    """One case with all its runs."""

    label: str
    settings: Case
    backend: str
    """The runtime with its version."""
    memory: Memory
    psnr_db: float | Literal["identical"] | None
    """Frames beside those of the first case; None where none were compared."""
    prompt_accuracy: JudgedClips | None = None
    """None where it was not asked for, or the case makes no clips of prompts."""
    statistics: dict[str, Statistic]
    runs: tuple[Run, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _has_its_statistics(self) -> CaseResult:
        measured = {metric for metric in METRICS if values_of(self.runs, metric)}
        if set(self.statistics) != measured:
            raise ValueError(f"statistics are of {sorted(self.statistics)}, the runs have {sorted(measured)}")
        return self


class ScenarioResult(Strict):
    """One scenario: as it was asked, where it ran, and the cases that were finished."""

    scenario: Scenario
    machine: Machine
    versions: Versions
    remark: str
    bundle: str
    complete: bool
    """False where the bench was stopped: cases or rounds are missing."""
    failures: dict[str, str]
    """Cases that failed, with what they said."""
    real_clips: JudgedClips | None = None
    """What the probe of `prompt_accuracy` saw in drawn clips: no case can be judged better than that."""
    cases: tuple[CaseResult, ...]


class Results(Strict):
    """A results file."""

    schema_version: Literal[2]
    scenarios: tuple[ScenarioResult, ...]


def values_of(runs: Sequence[Run], metric: str) -> list[float]:
    """A metric of all runs that have it."""
    return [value for run in runs if (value := getattr(run, metric)) is not None]


def statistics_of(runs: Sequence[Run]) -> dict[str, Statistic]:
    """Median and percentiles (linear between the runs) of every metric that was measured."""
    found = {}
    for metric in METRICS:
        if values := values_of(runs, metric):
            median, p90, p99 = np.percentile(values, (50, 90, 99)).tolist()
            found[metric] = Statistic(median=median, p90=p90, p99=p99)
    return found


def read_results(path: Path) -> Results:
    """Read a results file.

    Raises:
        IoError: It cannot be read.
        InvalidArgument: It is no results file, or of another schema version.
    """
    value = read_json(path)
    version = value.get("schema_version")
    if version != SCHEMA_VERSION:
        raise InvalidArgument(
            f"{path} is no result of this version's `vidrt bench run`: schema_version {version!r}, expected "
            f"{SCHEMA_VERSION}. Measure again."
        )
    return checked(Results, value, path)


def write_results(path: Path, results: Results) -> None:
    """Write a results file whole. Raises IoError."""
    write_whole(path, (json.dumps(results.model_dump(mode="json"), indent=1) + "\n").encode())
