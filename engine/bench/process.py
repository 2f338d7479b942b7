"""A case's process, watched from outside: what it holds over time, and its end when the user wants one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vidrt.engine.errors import BackendError, Cancelled
from vidrt.engine.events import CancelToken

SAMPLE_SECONDS = 0.02
"""Between two looks at its memory. A look costs a few hundredths of a millisecond, and none of them in its process."""
_MOST_SAMPLES = 100
_PATIENCE_SECONDS = 5.0


@dataclass(frozen=True)
class Finished:
    """What a process printed, and its samples: (milliseconds since it began, resident MiB, of these anonymous)."""

    answer: dict[str, Any]
    samples: tuple[tuple[float, float, float], ...]

    @property
    def peak_anonymous_mib(self) -> float | None:
        """The highest anonymous memory that was seen."""
        return max((anonymous for _, _, anonymous in self.samples), default=None)

    def thinned(self) -> tuple[tuple[float, float, float], ...]:
        """At most 100 samples, evenly taken, for a plot."""
        stride = -(-len(self.samples) // _MOST_SAMPLES) or 1
        return self.samples[::stride]


def run_process(
    command: Sequence[str],
    scratch: Path,
    cancel: CancelToken,
    environment: dict[str, str] | None = None,
    on_line: Callable[[str], object] | None = None,
) -> Finished:
    """Run a Python script or module that ends with one line of JSON on stdout.

    Args:
        command: The interpreter's arguments.
        scratch: A folder for what it prints.
        cancel: Ends it.
        environment: Variables besides this process's.
        on_line: Told what it prints, line by line; unset, nothing is read before its end.

    Raises:
        BackendError: It failed; the message ends with what it printed.
        Cancelled: `cancel` asked for it, and it has ended.
    """
    out, err = scratch / "stdout", scratch / "stderr"
    samples: list[tuple[float, float, float]] = []
    with out.open("wb") as printed, err.open("wb") as complained, out.open(errors="replace") as spoken:
        begun = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, *command],
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=complained,
            env={**os.environ, **(environment or {})},
            start_new_session=True,  # the terminal's Ctrl-C is for us, who end it
        )
        try:
            while process.poll() is None:
                if cancel.cancelled:
                    raise Cancelled("cancelled")
                if (held := _held(process.pid)) is not None:
                    samples.append((1000 * (time.perf_counter() - begun), *held))
                if on_line is not None:
                    for line in spoken:
                        on_line(line.rstrip("\n"))
                time.sleep(SAMPLE_SECONDS)
        finally:
            _end(process)
    if process.returncode != 0:
        said = err.read_text(errors="replace").strip().removeprefix("error: ")
        raise BackendError(said[-2000:] or f"the process ended with status {process.returncode}")
    try:
        answer = json.loads(out.read_text(errors="replace").splitlines()[-1])
    except (IndexError, ValueError) as error:
        raise BackendError(f"the process printed no result ({error})") from error
    return Finished(answer, tuple(samples))


def _held(pid: int) -> tuple[float, float] | None:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    found = {name: int(rest.split()[0]) / 1024 for name, _, rest in (line.partition(":") for line in lines)
             if name in ("VmRSS", "RssAnon")}  # fmt: skip
    # A process that has just ended has neither.
    return (found["VmRSS"], found["RssAnon"]) if len(found) == 2 else None


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        # Its group: peers that compile have workers of their own.
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(_PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
