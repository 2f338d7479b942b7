"""Run one case of a scenario in this process and print one JSON line.

Started by run.py, so that allocators start cold and the peak memory is this case's alone.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from typing import Any

import numpy as np
from measuring import PROMPT, measure_and_print, peak_rss_mib

import vidrt
from vidrt import _core
from vidrt.engine.onnxruntime_location import announce_onnxruntime


def measure(pipe: vidrt.TextToVideoPipeline, options: dict[str, Any]) -> tuple[vidrt.Video, dict[str, Any]]:
    """Generate once; milliseconds per stage and per decoded chunk."""
    arrivals: list[float] = []

    def on_frames(*_: Any) -> None:
        arrivals.append(time.perf_counter())

    video = pipe(PROMPT, on_frames=on_frames, **options)
    timings = video.timings
    chunks = [1000 * (later - earlier) for earlier, later in itertools.pairwise(arrivals)]
    return video, {
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
    announce_onnxruntime()
    _core.onnxruntime_facts()  # loads the library, as the peers' imports load theirs
    imports_mib = peak_rss_mib()
    options = request["options"] | {"on_warning": lambda _: None}
    options |= {"latents": np.load(request["latents"])} if request["latents"] else {"seed": 0}
    threads = options.pop("threads", None)
    pipes = [vidrt.TextToVideoPipeline(request["bundle"], threads=threads) for _ in range(request["pipelines"])]
    for pipe in pipes[:-1]:
        for _ in range(request["warmup"]):
            measure(pipe, options)
    pipe = pipes[-1]
    if request["frames"]:
        np.save(request["frames"], measure(pipe, options)[0].frames)
    measure_and_print(pipe.backend, imports_mib, request, lambda: measure(pipe, options)[1])


if __name__ == "__main__":
    main()
