"""Questions that may hang or end a process, asked in one of their own.

A driver may wait for ever, a library may crash while it loads, and either may write to the standard output.
"""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PROBES = Path(__file__).resolve().parent / "probes"
_KILL_S = 1.0
"""Waited for a process that was killed: one that hangs in the driver does not end, and is left to the system."""


@dataclass(frozen=True)
class Answer:
    """What came back.

    Attributes:
        output: The standard output; empty where it failed.
        failure: Why nothing came back, for people; None where something did.
    """

    output: str
    failure: str | None = None


def ask(command: Sequence[str], environment: Mapping[str, str], timeout_s: float) -> Answer:
    """Run a program to its end, or to the end of its time. Raises nothing."""
    try:
        process = subprocess.Popen(
            command,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
    except OSError as error:
        return Answer("", f"{command[0]} does not start: {error.strerror}")
    try:
        output, errors = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=_KILL_S)
        return Answer("", f"it did not answer in {timeout_s:g} s")
    if process.returncode < 0:
        return Answer("", f"it crashed ({_signal(-process.returncode)})")
    if process.returncode > 0:
        last = (errors.strip() or output.strip()).splitlines()[-1:] or ["nothing was written"]
        return Answer("", f"it failed with status {process.returncode}: {last[0]}")
    return Answer(output)


def run_probe(
    name: str, arguments: Sequence[str], environment: Mapping[str, str], timeout_s: float
) -> tuple[dict[str, Any], str | None]:
    """Run one of the scripts in probes/.

    Returns:
        What it found (its last line, a JSON object), and None; or nothing, and why.
    """
    answer = ask([sys.executable, str(_PROBES / f"{name}.py"), *arguments], environment, timeout_s)
    if answer.failure is not None:
        return {}, answer.failure
    try:
        found = json.loads(answer.output.splitlines()[-1])
    except (IndexError, ValueError):
        return {}, "it ended without an answer"
    return (found, None) if isinstance(found, dict) else ({}, "it gave an answer of another kind")


def _signal(number: int) -> str:
    with contextlib.suppress(ValueError):
        return signal.Signals(number).name
    return f"signal {number}"
