"""Shared libraries: whether one loads, from where, and which version it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vidrt.engine.doctor.surroundings import Surroundings

_ABSENT = ": cannot open shared object file"


@dataclass(frozen=True)
class FoundLibrary:
    """What became of a search.

    Attributes:
        path: The file that loads; None where none does.
        version: As the library says; None where it does not.
        broken: Why one that is there does not load; None where all are absent, or one loads.
    """

    path: str | None
    version: str | None
    broken: str | None


def find_library(around: Surroundings, kind: str, candidates: Sequence[str]) -> FoundLibrary:
    """Load the first that loads, in a process of its own.

    Args:
        around: The machine.
        kind: How it is asked for its version: "cuda_runtime", "tensorrt", or "any" for not at all.
        candidates: Files, and names for the system's loader.
    """
    found, failure = around.probe("shared_library", kind, *candidates)
    if failure is not None:
        return FoundLibrary(None, None, f"loading {candidates[0]} or one after it: {failure}")
    if "path" in found:
        return FoundLibrary(found["path"], found["version"], None)
    # The loader's message begins with what it could not open: the candidate itself, or what that needs.
    broken = [text for name, text in found["errors"].items() if not text.startswith(f"{name}{_ABSENT}")]
    return FoundLibrary(None, None, broken[0] if broken else None)
