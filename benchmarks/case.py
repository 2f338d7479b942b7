"""Run one case of a scenario in this process and print one JSON line.

Started by run.py, so that allocators start cold and the peak memory is this case's alone.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from pathlib import Path
from typing import Any

import vidrt

PROMPT = "a large red circle moving left on a dark background"


def peak_rss_mib() -> float:
    """Peak resident memory of this process so far, in MiB. getrusage would count what the parent had when it forked."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


def measure(pipe: vidrt.TextToVideoPipeline, options: dict[str, Any]) -> dict[str, Any]:
    """Generate once; milliseconds per stage and per decoded chunk, the prompt's encoding included."""
    arrivals: list[float] = []

    def on_frames(*_: Any) -> None:
        arrivals.append(time.perf_counter())

    timings = pipe(PROMPT, seed=0, on_frames=on_frames, **options).timings
    chunks = [1000 * (later - earlier) for earlier, later in itertools.pairwise(arrivals)]
    return {
        "encode_ms": timings.encode,
        "denoise_ms": timings.denoise,
        "decode_ms": timings.decode,
        "total_ms": timings.total - timings.load,
        "host_share": 1 - timings.session / (timings.total - timings.load),
        "last_step_to_first_frame_ms": timings.last_step_to_first_frame,
        "chunk_ms": sorted(chunks)[len(chunks) // 2] if chunks else None,
    }


def main() -> None:
    """Read the request from the first argument, run it, print the result."""
    request = json.loads(sys.argv[1])
    imports_mib = peak_rss_mib()
    options = request["options"]
    threads = options.pop("threads", None)
    pipes = [vidrt.TextToVideoPipeline(request["bundle"], threads=threads) for _ in range(request["pipelines"])]
    for pipe in pipes:
        for _ in range(request["warmup"]):
            measure(pipe, options)
    runs = [measure(pipe, options) for _ in range(request["repetitions"])]
    print(
        json.dumps(
            {
                "backend": pipe.backend,
                "imports_mib": imports_mib,
                "peak_mib": peak_rss_mib(),
                "runs": runs,
            }
        )
    )


if __name__ == "__main__":
    main()
