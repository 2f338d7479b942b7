"""What every measured process does alike: its peak memory, its repetitions, its one line of JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

PROMPT = "a large red circle moving left on a dark background"


def peak_rss_mib() -> float:
    """Peak resident memory of this process so far, in MiB. getrusage would count what the parent had when it forked."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


def measure_and_print(
    backend: str, imports_mib: float, request: dict[str, Any], run: Callable[[], dict[str, Any]]
) -> None:
    """Run the request's warm-ups and repetitions of `run` and print the result."""
    for _ in range(request["warmup"]):
        run()
    runs = [run() for _ in range(request["repetitions"])]
    result = {"backend": backend, "imports_mib": imports_mib, "peak_mib": peak_rss_mib(), "runs": runs}
    print(json.dumps(result))
