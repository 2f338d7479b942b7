"""What every measured process does alike, a peer's too: its memory, its repetitions, its one line of JSON.

Imports nothing heavy: the first figure is what a process holds before it opens anything.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

PROMPT = "a large red circle moving left on a dark background"
"""Of every benchmark, whatever the demo's is: figures of other prompts could not be compared."""
MODULES = ("text_encoder", "denoiser", "vae_decoder_first", "vae_decoder_next")
"""What a generation with the pocket model runs."""
PIPELINE_SETTINGS = ("backend", "device", "threads", "memory_budget", "variant")
"""Of a case's settings, those that a pipeline is opened with."""


def split_settings(settings: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a pipeline is opened with, and what it then generates or decodes with."""
    opened = {name: value for name, value in settings.items() if name in PIPELINE_SETTINGS}
    return opened, {name: value for name, value in settings.items() if name not in opened}


def peak_rss_mib() -> float:
    """Peak resident memory of this process so far, in MiB. getrusage would count what the parent had when it forked."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


@dataclasses.dataclass(frozen=True)
class Marks:
    """When a peer's stages ended, in seconds of time.perf_counter(); `chunks` decode calls followed the first frame."""

    start: float
    encoded: float
    denoised: float
    first_frame: float
    end: float
    chunks: int

    def row(self) -> dict[str, float | None]:
        """As worker.py measures vidrt; None for what a peer has no word for."""
        return {
            "encode_ms": 1000 * (self.encoded - self.start),
            "denoise_ms": 1000 * (self.denoised - self.encoded),
            "decode_ms": 1000 * (self.end - self.denoised),
            "total_ms": 1000 * (self.end - self.start),
            "first_frame_ms": 1000 * (self.first_frame - self.start),
            "host_share": None,
            "last_step_to_first_frame_ms": 1000 * (self.first_frame - self.denoised),
            "chunk_ms": 1000 * (self.end - self.first_frame) / self.chunks if self.chunks else None,
        }


def measure_and_print(
    backend: str,
    imports_mib: float,
    request: dict[str, Any],
    run: Callable[[], dict[str, Any]],
    planned: dict[str, float] | None = None,
) -> None:
    """Run the request's warm-ups and repetitions of `run` and print the result.

    Args:
        backend: The runtime with its version.
        imports_mib: peak_rss_mib() before anything was opened.
        request: From the process's first argument.
        run: Makes one video; returns a row as Marks.row() does.
        planned: arena_mib and plan_mib, where a plan says them.
    """
    for _ in range(request["warmup"]):
        run()
    runs = [run() for _ in range(request["repetitions"])]
    memory = {"imports_mib": imports_mib, "peak_rss_mib": peak_rss_mib(), **(planned or {})}
    print(json.dumps({"backend": backend, "memory": memory, "runs": runs}))
