"""One ONNX graph to one engine plan, by TensorRT."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vidrt.engine.builder.build_log import BuildLog, make_logger
from vidrt.engine.builder.flavour import Flavour
from vidrt.engine.builder.monitor import BuildProgress, make_monitor
from vidrt.engine.builder.options import BuildOptions
from vidrt.engine.builder.profile import TensorProfile
from vidrt.engine.errors import BackendError, BundleError, Cancelled

_POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Job:
    """One engine to build.

    Attributes:
        title: What it is, for messages: module and variant.
        graph: The ONNX file, its weights beside it.
        profile: Shapes of its inputs.
        timing_cache: Content of a timing cache, empty for a new one; None builds without.
    """

    title: str
    graph: Path
    profile: Mapping[str, TensorProfile]
    timing_cache: bytes | None = None


@dataclass(frozen=True, eq=False)
class Compiled:
    """A built plan.

    Attributes:
        plan: Its bytes, in TensorRT's memory.
        seconds: How long it took.
        timing_cache: The timing cache with what was measured, where the job had one.
    """

    plan: memoryview
    seconds: float
    timing_cache: bytes | None


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
    strongly_typed = getattr(api.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)  # 11 knows nothing else
    network = builder.create_network(0 if strongly_typed is None else 1 << int(strongly_typed))
    parser = api.OnnxParser(network, logger)
    if not parser.parse_from_file(str(job.graph)):
        raise BackendError(_refusal(flavour, job, parser, log))
    monitor = make_monitor(api, progress)
    config = _configure(flavour, builder, options)
    config.progress_monitor = monitor
    config.add_optimization_profile(_profile(builder, network, job))
    timing = None
    if job.timing_cache is not None:
        timing = config.create_timing_cache(job.timing_cache)
        config.set_timing_cache(timing, False)
    plan = builder.build_serialized_network(network, config)
    if progress.cancelled:
        raise Cancelled(f"the build of {job.title} was cancelled.")
    if plan is None or log.fatal is not None:
        raise BackendError(_failure(flavour, job, log))
    measured = None if timing is None else bytes(timing.serialize())
    return Compiled(memoryview(plan), time.monotonic() - begin, measured)


def _profile(builder: Any, network: Any, job: Job) -> Any:
    profile = builder.create_optimization_profile()
    for index in range(network.num_inputs):
        name = network.get_input(index).name
        shapes = job.profile.get(name)
        if shapes is None:
            raise BundleError(
                f"{job.graph} takes an input {name!r}, which the manifest does not name; it names "
                f"{', '.join(job.profile)}. Export the bundle again."
            )
        profile.set_shape(name, shapes.min, shapes.opt, shapes.max)
    return profile


def _configure(flavour: Flavour, builder: Any, options: BuildOptions) -> Any:
    api = flavour.api
    config = builder.create_builder_config()
    config.builder_optimization_level = options.optimization_level
    # The layer table comes from what this makes TensorRT log.
    config.profiling_verbosity = api.ProfilingVerbosity.DETAILED
    if options.workspace_bytes is not None:
        config.set_memory_pool_limit(api.MemoryPoolType.WORKSPACE, options.workspace_bytes)
    flags = {
        "WEIGHT_STREAMING": options.weight_streaming,
        "STRIP_PLAN": options.strip,
        "REFIT_IDENTICAL": options.strip and not options.refit,
        "REFIT": options.refit,
        "VERSION_COMPATIBLE": options.version_compatible,
        # Activation memory will come from the core's arena: an engine must not take more of its own while it runs.
        # One that streams its weights has to.
        "REQUIRE_USER_ALLOCATION": flavour.backend == "tensorrt-rtx" and not options.weight_streaming,
    }
    for name, wanted in flags.items():
        if wanted:
            config.set_flag(getattr(api.BuilderFlag, name))
    if options.hardware_compatibility != "none":
        level = options.hardware_compatibility.upper()
        config.hardware_compatibility_level = getattr(api.HardwareCompatibilityLevel, level)
    if options.serialize_plugins:
        config.plugins_to_serialize = [str(path) for path in options.plugins]
    if options.compute_capabilities:
        config.num_compute_capabilities = len(options.compute_capabilities)
        for index, capability in enumerate(options.compute_capabilities):
            config.set_compute_capability(getattr(api.ComputeCapability, "SM" + capability.replace(".", "")), index)
    return config


def _refusal(flavour: Flavour, job: Job, parser: Any, log: BuildLog) -> str:
    for index in range(parser.num_errors):
        error = parser.get_error(index)
        if error.node_operator():
            # What the parser asserts is its own code; what went wrong inside it is in the log.
            said = "; ".join([*log.errors, error.desc().strip()])
            node = f"{error.node_name()!r} (ONNX {error.node_operator()})"
            return (
                f"{job.title}: {flavour.title} does not take the node {node}: {said.rstrip('.')}. "
                "Export the model without it, or run this module with another backend."
            )
    return f"{job.title}: {flavour.title} cannot read {job.graph}: {'; '.join(log.errors) or 'it does not say why'}."


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
