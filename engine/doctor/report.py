"""The rows of a diagnosis, and the whole of it as plain values for JSON (docs/doctor.md)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vidrt.engine.doctor.surroundings import Surroundings

SCHEMA_VERSION = 1


class Status(Enum):
    """What became of a row."""

    OK = "ok"
    MISSING = "missing"
    WRONG = "wrong"  # there, and of no use as it is
    NOT_APPLICABLE = "not_applicable"  # this machine cannot have it, or needs none

    @property
    def words(self) -> str:
        """For people."""
        return self.value.replace("_", " ")


@dataclass(frozen=True)
class Finding:
    """What a row found.

    Attributes:
        status: Whether it can be used.
        value: In a line, for people: the version and place of what is there, else what was looked for or what is wrong.
        fix: How to get or mend it; None where there is nothing to do.
        details: The same for machines, by names of the row's own.
    """

    status: Status
    value: str
    fix: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


def ok(value: str, **details: Any) -> Finding:
    """It is there and works."""
    return Finding(Status.OK, value, details=details)


def missing(value: str, fix: str) -> Finding:
    """It is not there, and could be."""
    return Finding(Status.MISSING, value, fix)


def wrong(value: str, fix: str, **details: Any) -> Finding:
    """It is there and cannot be used."""
    return Finding(Status.WRONG, value, fix, details)


def not_applicable(why: str) -> Finding:
    """This machine needs none."""
    return Finding(Status.NOT_APPLICABLE, why)


@dataclass(frozen=True)
class Row:
    """One thing to look at.

    Attributes:
        name: Its name, which never changes: it is part of the schema.
        disables: What cannot be done without it.
        look: Finds it; may raise, and may run for as long as its probes may.
        required: Whether nothing can be generated without it.
        backends: Those that cannot run without it. One whose rows are all OK can.
    """

    name: str
    disables: str
    look: Callable[[Surroundings], Finding]
    required: bool = False
    backends: tuple[str, ...] = ()


@dataclass(frozen=True)
class Check:
    """A row and what it found."""

    row: Row
    finding: Finding

    @property
    def is_trouble(self) -> bool:
        """Whether something cannot be done that could be."""
        return self.finding.status in (Status.MISSING, Status.WRONG)

    def to_dict(self) -> dict[str, Any]:
        """As it stands in the JSON."""
        return {
            "name": self.row.name,
            "status": self.finding.status.value,
            "value": self.finding.value,
            "disables": self.row.disables if self.is_trouble else None,
            "fix": self.finding.fix,
            "required": self.row.required,
            "details": dict(self.finding.details),
        }


@dataclass(frozen=True)
class Report:
    """A whole diagnosis.

    Attributes:
        facts: What always is: versions of vidrt, Python, the system and packages, settings.
        checks: The rows, in the order in which they are shown.
    """

    facts: dict[str, dict[str, Any]]
    checks: tuple[Check, ...]

    @property
    def can_generate(self) -> bool:
        """Whether some backend of this installation can make a video."""
        if any(check.row.required and check.is_trouble for check in self.checks):
            return False
        backends = {backend for check in self.checks for backend in check.row.backends}
        return not backends or any(self._can_run(backend) for backend in backends)

    def _can_run(self, backend: str) -> bool:
        needed = (check.finding.status for check in self.checks if backend in check.row.backends)
        return all(status is Status.OK for status in needed)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, of the schema in docs/doctor.schema.json."""
        return {
            "schema_version": SCHEMA_VERSION,
            **self.facts,
            "can_generate": self.can_generate,
            "checks": [check.to_dict() for check in self.checks],
        }
