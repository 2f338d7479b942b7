"""One ONNX graph to one engine plan, by TensorRT."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass

from vidrt.engine.builder.build_log import BuildLog, make_logger
from vidrt.engine.builder.flavour import Flavour
from vidrt.engine.builder.monitor import BuildProgress, make_monitor
from vidrt.engine.builder.network import Job, make_config, parse_graph, shape_profile
from vidrt.engine.builder.options import BuildOptions
from vidrt.engine.builder.streaming import Streaming, streaming_of
from vidrt.engine.builder.targets import local_compute_capability
from vidrt.engine.errors import BackendError, Cancelled

_POLL_SECONDS = 0.05


@dataclass(frozen=True, eq=False)
class Compiled:
    """A built plan.

    Attributes:
        plan: Its bytes, in TensorRT's memory.
        seconds: How long it took.
        timing_cache: The timing cache with what was measured, where the job had one.
        streaming: What the engine says of streaming; None where it cannot stream or there is no GPU to load it on.
    """

    plan: memoryview
    seconds: float
    timing_cache: bytes | None
    streaming: Streaming | None


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
    timing = None
    if job.timing_cache is not None:
        timing = config.create_timing_cache(job.timing_cache)
        config.set_timing_cache(timing, False)
    plan = builder.build_serialized_network(parsed.network, config)
    if progress.cancelled:
        raise Cancelled(f"the build of {job.title} was cancelled.")
    if plan is None or log.fatal is not None:
        raise BackendError(_failure(flavour, job, log))
    measured = None if timing is None else bytes(timing.serialize())
    seconds = time.monotonic() - begin
    can_ask = options.weight_streaming and local_compute_capability() is not None
    return Compiled(memoryview(plan), seconds, measured, streaming_of(flavour, logger, plan) if can_ask else None)


def _failure(flavour: Flavour, job: Job, log: BuildLog) -> str:
    said = log.fatal or (log.errors[-1] if log.errors else "it does not say why")
    if log.fatal is not None:
        advice = "Sizes at the ends of the ranges do not fit together; choose other ranges."
    elif "workspace" in said:
        advice = "Allow more with workspace_bytes (--workspace)."
    elif "cudaError" in said or "CUDA_SUCCESS" in said:
        advice = "This build needs an NVIDIA GPU with its driver; build where there is one."
    elif "for Turing" in said:
        advice = "Leave compute capability 7.5 out."
    else:
        advice = "The log says more."
    return f"{job.title}: {flavour.title} cannot build the engine: {said.rstrip('.')}. {advice}"
