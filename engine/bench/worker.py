"""Run one case of a scenario in this process and print one JSON line.

Started by process.py, so that allocators start cold and the peak memory is this case's alone. An error of vidrt's is
one line on stderr and its exit code.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import vidrt
from vidrt import Callbacks, _core
from vidrt.engine.bench.measuring import PROMPT, measure_and_print, peak_rss_mib, split_settings
from vidrt.engine.onnxruntime_location import announce_onnxruntime

_SILENT = Callbacks(on_warning=lambda _: None)


def measure(generate: Callable[[Callbacks], vidrt.Video]) -> tuple[vidrt.Video, dict[str, Any]]:
    """Make one video; milliseconds per stage and per decoded chunk."""
    arrivals: list[float] = []
    video = generate(Callbacks(on_frames=lambda _: arrivals.append(time.perf_counter()), on_warning=lambda _: None))
    timings = video.timings
    chunks = [1000 * (later - earlier) for earlier, later in itertools.pairwise(arrivals)]
    total = timings.total - timings.load
    return video, {
        "encode_ms": timings.encode,
        "denoise_ms": timings.denoise,
        "decode_ms": timings.decode,
        "total_ms": total,
        # Whatever is loaded is loaded before the first frame.
        "first_frame_ms": timings.first_frame - timings.load,
        "host_share": 1 - timings.session / total,
        "last_step_to_first_frame_ms": timings.last_step_to_first_frame,
        "chunk_ms": sorted(chunks)[len(chunks) // 2] if chunks else None,
    }


def run(request: dict[str, Any]) -> None:
    """Open, warm up, measure, print."""
    announce_onnxruntime()
    _core.onnxruntime_facts()  # loads the library, as the peers' imports load theirs
    imports_mib = peak_rss_mib()
    opened, settings = split_settings(request["options"])
    latents = np.load(request["latents"]) if request["latents"] else None
    pipes = [vidrt.TextToVideoPipeline(request["bundle"], **opened) for _ in range(request["pipelines"])]
    generate: Callable[[vidrt.TextToVideoPipeline, Callbacks], vidrt.Video]
    if request["decode"]:
        assert latents is not None
        decoding = vidrt.DecodeOptions(latents, **settings)
        plan = pipes[-1].plan_decode(decoding)

        def generate(pipe: vidrt.TextToVideoPipeline, callbacks: Callbacks) -> vidrt.Video:
            return pipe.decode_latents(decoding, callbacks)
    else:
        settings |= {"seed": 0} if latents is None else {"latents": latents}
        options = vidrt.GenerateOptions(PROMPT, **settings)
        plan = pipes[-1].plan(options)

        def generate(pipe: vidrt.TextToVideoPipeline, callbacks: Callbacks) -> vidrt.Video:
            return pipe.generate(options, callbacks)

    for pipe in pipes[:-1]:
        for _ in range(request["warmup"]):
            generate(pipe, _SILENT)
    if request["frames"]:
        np.save(request["frames"], generate(pipes[-1], _SILENT).frames)
    planned = {"arena_mib": plan.arena_bytes / 2**20, "plan_mib": plan.total_bytes / 2**20}
    measure_and_print(
        pipes[-1].backend, imports_mib, request, lambda: measure(lambda told: generate(pipes[-1], told))[1], planned
    )


def main() -> int:
    """Run the request in the first argument; return the exit status."""
    try:
        run(json.loads(sys.argv[1]))
    except (vidrt.Error, MemoryError) as error:
        # Here, so that the command line's packages are not in the memory that is measured.
        from vidrt.engine.cli import exit_codes

        return exit_codes.report(error)
    return 0


if __name__ == "__main__":
    sys.exit(main())
