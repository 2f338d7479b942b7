"""One ONNX graph to one engine plan, by TensorRT."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass
from typing import Any

from vidrt.engine.builder.build_log import BuildLog, make_logger
from vidrt.engine.builder.flavour import Flavour
from vidrt.engine.builder.loaded import Loaded, ask_loaded
from vidrt.engine.builder.monitor import BuildProgress, make_monitor
from vidrt.engine.builder.network import Job, make_config, parse_graph, shape_profile
from vidrt.engine.builder.options import BuildOptions
from vidrt.engine.builder.targets import local_compute_capability
from vidrt.engine.errors import BackendError, Cancelled
from vidrt.engine.text import human_bytes

_POLL_SECONDS = 0.05


@dataclass(frozen=True, eq=False)
class Compiled:
    """A built plan.

    Attributes:
        plan: Its bytes, in TensorRT's memory.
        seconds: How long it took.
        timing_cache: The timing cache with what was measured, where the job had one.
        loaded: What the loaded engine says; None where there was nothing to ask it, or no GPU to load it on.
    """

    plan: memoryview
    seconds: float
    timing_cache: bytes | None
    loaded: Loaded | None


def compile_plan(
    flavour: Flavour,
    job: Job,
    options: BuildOptions,
    log: BuildLog,
    watch: Callable[[str, float], bool],
) -> Compiled:
    """Build, on another thread, while this one watches.

    Args:
        flavour: The TensorRT that builds.
        job: What to build.
        options: How to build it.
        log: Gets all that TensorRT says.
        watch: Called on this thread about 20 times a second with what TensorRT does and the share done; True stops the
            build. An exception stops it as well, and is raised when TensorRT has ended.

    Raises:
        BackendError: TensorRT refuses the graph or cannot build it.
        Cancelled: watch() said so.
    """
    progress = BuildProgress()
    # TensorRT must not be left by an exception in one of its callbacks, and Python raises Ctrl-C in whatever the main
    # thread runs: so TensorRT gets a thread of its own.
    with ThreadPoolExecutor(1, "tensorrt") as pool:
        building = pool.submit(_build, flavour, job, options, log, progress)
        try:
            while True:
                try:
                    return building.result(timeout=_POLL_SECONDS)
                except NotYet:
                    if watch(*progress.state):
                        progress.cancel()
        except BaseException:
            progress.cancel()
            raise


def _build(flavour: Flavour, job: Job, options: BuildOptions, log: BuildLog, progress: BuildProgress) -> Compiled:
    begin = time.monotonic()
    api = flavour.api
    logger = make_logger(api, log)
    builder = api.Builder(logger)
    parsed = parse_graph(flavour, job, builder, logger, log)
    monitor = make_monitor(api, progress)
    config = make_config(flavour, builder, options)
    config.progress_monitor = monitor
    config.add_optimization_profile(shape_profile(builder, parsed.network, job))
    timing = None if job.timing_cache is None else _use_timing_cache(config, job.timing_cache)
    plan = builder.build_serialized_network(parsed.network, config)
    if progress.cancelled:
        raise Cancelled(f"the build of {job.title} was cancelled.")
    if plan is None or log.fatal is not None:
        raise BackendError(_failure(flavour, job, log))
    measured = None if timing is None else bytes(timing.serialize())
    seconds = time.monotonic() - begin
    log_says_all = log.figure("activation_bytes") is not None and log.layers
    asks = options.weight_streaming or not log_says_all
    loaded = None
    if asks and local_compute_capability() is not None:
        loaded = ask_loaded(flavour, logger, plan, streams=options.weight_streaming)
    return Compiled(memoryview(plan), seconds, measured, loaded)


def _use_timing_cache(config: Any, content: bytes) -> Any:
    """TensorRT's timing cache, in use; a new one where the content is damaged, or of another GPU or TensorRT."""
    timing = config.create_timing_cache(content)
    if timing is None or not config.set_timing_cache(timing, False):
        timing = config.create_timing_cache(b"")
        config.set_timing_cache(timing, False)
    return timing


def _failure(flavour: Flavour, job: Job, log: BuildLog) -> str:
    said = log.fatal or (log.errors[-1] if log.errors else "it does not say why")
    if log.fatal is not None:
        advice = "Sizes at the ends of the ranges do not fit together; choose other ranges."
    elif log.refused_bytes is not None:
        advice = (
            f"The GPU had no {human_bytes(log.refused_bytes)} more ({log.refused_bytes} bytes) when TensorRT asked for "
            "them: free memory on it, build for smaller sizes (--height, --width, --num-frames, --decode-chunk), or "
            "limit what a layer takes (--workspace)."
        )
    elif "workspace" in said:
        advice = "Allow more with workspace_bytes (--workspace)."
    elif "cudaError" in said or "CUDA_SUCCESS" in said:
        advice = "This build needs an NVIDIA GPU with its driver; build where there is one."
    elif "for Turing" in said:
        advice = "Leave compute capability 7.5 out."
    else:
        advice = "The log says more."
    return f"{job.title}: {flavour.title} cannot build the engine: {said.rstrip('.')}. {advice}"
