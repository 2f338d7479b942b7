"""A graph as TensorRT's network, and the options of a build as TensorRT's configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vidrt.engine.builder.build_log import BuildLog
from vidrt.engine.builder.flavour import Flavour
from vidrt.engine.builder.options import BuildOptions
from vidrt.engine.builder.profile import TensorProfile
from vidrt.engine.errors import BackendError, BundleError


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
class ParsedGraph:
    """A network, and the parser that holds the weights that it refers to."""

    network: Any
    parser: Any


def parse_graph(flavour: Flavour, job: Job, builder: Any, logger: Any, log: BuildLog) -> ParsedGraph:
    """Read a job's graph into a strongly typed network.

    Raises:
        BackendError: TensorRT does not take it; the message names module, node and operator.
    """
    api = flavour.api
    strongly_typed = getattr(api.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)  # 11 knows nothing else
    network = builder.create_network(0 if strongly_typed is None else 1 << int(strongly_typed))
    parser = api.OnnxParser(network, logger)
    if not parser.parse_from_file(str(job.graph)):
        raise BackendError(_refusal(flavour, job, parser, log))
    return ParsedGraph(network, parser)


def shape_profile(builder: Any, network: Any, job: Job) -> Any:
    """TensorRT's optimization profile of a job. Raises BundleError for an input that the manifest does not name."""
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


def make_config(flavour: Flavour, builder: Any, options: BuildOptions) -> Any:
    """TensorRT's builder configuration."""
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
