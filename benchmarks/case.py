"""Run one case of a scenario in this process and print one JSON line.

Started by run.py, so that allocators start cold and the peak memory is this case's alone.
"""

from __future__ import annotations

import functools
import itertools
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from measuring import PROMPT, measure_and_print, peak_rss_mib

import vidrt
from vidrt import Callbacks, _core
from vidrt.engine.onnxruntime_location import announce_onnxruntime


def measure(generate: Callable[[Callbacks], vidrt.Video]) -> tuple[vidrt.Video, dict[str, Any]]:
    """Make one video; milliseconds per stage and per decoded chunk."""
    arrivals: list[float] = []
    video = generate(Callbacks(on_frames=lambda _: arrivals.append(time.perf_counter()), on_warning=lambda _: None))
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
    settings = request["options"]
    threads = settings.pop("threads", None)
    latents = np.load(request["latents"]) if request["latents"] else None
    if request["decode"]:
        decode_options = vidrt.DecodeOptions(latents, **settings)
    else:
        settings |= {"seed": 0} if latents is None else {"latents": latents}
        options = vidrt.GenerateOptions(PROMPT, **settings)

    def generate(pipe: vidrt.TextToVideoPipeline, callbacks: Callbacks) -> vidrt.Video:
        if request["decode"]:
            return pipe.decode_latents(decode_options, callbacks)
        return pipe.generate(options, callbacks)

    pipes = [
        vidrt.TextToVideoPipeline(request["bundle"], threads=threads, variant=request["variant"])
        for _ in range(request["pipelines"])
    ]
    for pipe in pipes[:-1]:
        for _ in range(request["warmup"]):
            generate(pipe, Callbacks(on_warning=lambda _: None))
    run = functools.partial(measure, functools.partial(generate, pipes[-1]))
    if request["frames"]:
        np.save(request["frames"], run()[0].frames)
    measure_and_print(pipes[-1].backend, imports_mib, request, lambda: run()[1])


if __name__ == "__main__":
    main()
