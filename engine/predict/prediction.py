"""A generation on a device that is not here: its stages, how long they would take, whether it fits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from vidrt import _core
from vidrt.engine.builder.source import graph_path, weight_bytes
from vidrt.engine.bundle import Bundle
from vidrt.engine.errors import BackendError, InvalidArgument
from vidrt.engine.options import GenerateOptions
from vidrt.engine.pipeline import TextToVideoPipeline
from vidrt.engine.plan import GenerationPlan
from vidrt.engine.precision import PRECISIONS
from vidrt.engine.predict.devices import DeviceSpec
from vidrt.engine.predict.graph import check_onnx, sized_graph
from vidrt.engine.predict.kernels import GraphCost, graph_cost
from vidrt.engine.predict.memory import PredictedMemory, predicted_memory
from vidrt.engine.predict.roofline import BEST, WORST, Seconds, run_seconds
from vidrt.engine.predict.runs import Runs, input_shapes, planned_runs


@dataclass(frozen=True)
class PredictedStage:
    """All runs of one module at one size.

    Attributes:
        module: Its name.
        variant: The graph that runs.
        precision: What that computes in.
        runs: How often.
        kernels: Launches a run.
        flops: Operations of all runs; a multiplication with its addition is two.
        bytes: What all runs move between the device and its memory.
        best: Seconds of all runs with the best of the assumed shares of the device's peaks.
        worst: Likewise with the worst.
    """

    module: str
    variant: str
    precision: str
    runs: int
    kernels: int
    flops: int
    bytes: int
    best: Seconds
    worst: Seconds

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        limits = {"limit": {"best": self.best.limit, "worst": self.worst.limit}}
        seconds = {"seconds": {"best": self.best.total, "worst": self.worst.total}}
        return {**asdict(self), **limits, **seconds}


@dataclass(frozen=True)
class Prediction:
    """What a generation would take on a device. Nothing of it is measured.

    Attributes:
        device: The device, with the sources of its figures.
        plan: What would run.
        stages: In the order in which they run.
        memory: What it needs, and whether that fits.
        assumptions: What the figures rest on, a sentence each.
    """

    device: DeviceSpec
    plan: GenerationPlan
    stages: tuple[PredictedStage, ...]
    memory: PredictedMemory
    assumptions: tuple[str, ...]

    @property
    def best(self) -> float:
        """Seconds of all stages at the best."""
        return sum(stage.best.total for stage in self.stages)

    @property
    def worst(self) -> float:
        """Seconds of all stages at the worst."""
        return sum(stage.worst.total for stage in self.stages)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "kind": "prediction",
            "device": self.device.to_dict(),
            "stages": [stage.to_dict() for stage in self.stages],
            "seconds": {"best": self.best, "worst": self.worst},
            "memory": self.memory.to_dict(),
            "assumptions": list(self.assumptions),
            "plan": self.plan.to_dict(),
        }


def predict(
    pipe: TextToVideoPipeline, device: DeviceSpec, options: GenerateOptions, precision: str | None = None
) -> Prediction:
    """Predict a generation.

    Args:
        pipe: Of the bundle; it says what would run, and nothing is loaded.
        device: Where.
        options: What to generate; the prompt does not matter.
        precision: fp32, fp16 or bf16, what graphs compute in; None takes those that the device's backend prefers.

    Raises:
        InvalidArgument: An option cannot be used, or there is no such precision.
        BackendError: onnx is not installed, or the bundle has no graph of the precision for the device's backend.
        BundleError: A graph's costs cannot be told.
    """
    check_onnx()
    if precision not in (None, *PRECISIONS):
        raise InvalidArgument(f"precision must be one of {', '.join(PRECISIONS)}, got {precision!r}.")
    plan = pipe.plan(options)
    bundle, manifest = pipe.bundle, pipe.bundle.manifest
    stages, costs, weights = [], {}, {}
    for runs in planned_runs(manifest, plan):
        variant = _variant(bundle.modules[runs.module], device.backend, precision)
        cost = _cost(bundle, variant, input_shapes(manifest, plan, runs, variant.inputs), device)
        stages.append(_stage(runs, variant, cost, device))
        costs[runs] = cost
        weights[runs.module] = weight_bytes(variant)
    return Prediction(
        device=device,
        plan=plan,
        stages=tuple(stages),
        memory=predicted_memory(device, plan, weights, _working_bytes(costs)),
        assumptions=tuple(_assumptions(device, costs.values())),
    )


def _variant(module: _core.Module, backend: str, precision: str | None) -> _core.Variant:
    """The first that the backend runs. Operators of vidrt's own are for processors: an engine has the stock graph."""
    suiting = [
        variant
        for variant in module.variants
        if backend in variant.backends and (backend == "onnxruntime" or not variant.custom_ops)
    ]
    for variant in suiting:
        if precision in (None, variant.precision):
            return variant
    there = ", ".join(dict.fromkeys(variant.precision for variant in suiting)) or "none"
    raise BackendError(
        f"{module.name} has no graph that computes in {precision or 'any precision'} for {backend}; it has {there}. "
        f"Choose one of these, or export the bundle with --precision {module.name}={precision or 'fp16'}."
    )


def _cost(
    bundle: Bundle, variant: _core.Variant, shapes: Mapping[str, tuple[int, ...]], device: DeviceSpec
) -> GraphCost:
    # Engines fuse attention in half precision (docs/predictions.md); a graph for a processor says itself where.
    return graph_cost(sized_graph(graph_path(bundle, variant), shapes), fused_attention=device.backend == "tensorrt")


def _stage(runs: Runs, variant: _core.Variant, cost: GraphCost, device: DeviceSpec) -> PredictedStage:
    return PredictedStage(
        module=runs.module,
        variant=variant.id,
        precision=variant.precision,
        runs=runs.times,
        kernels=len(cost.kernels),
        flops=cost.flops * runs.times,
        bytes=cost.bytes * runs.times,
        best=run_seconds(cost.kernels, device, BEST) * runs.times,
        worst=run_seconds(cost.kernels, device, WORST) * runs.times,
    )


def _working_bytes(costs: Mapping[Runs, GraphCost]) -> dict[str, int]:
    """By module, of its most demanding size."""
    working: dict[str, int] = {}
    for runs, cost in costs.items():
        working[runs.module] = max(cost.working_bytes, working.get(runs.module, 0))
    return working


def _assumptions(device: DeviceSpec, costs: Iterable[GraphCost]) -> list[str]:
    engine = device.backend == "tensorrt"
    attention = "attention in half precision is one kernel that holds no scores, up to heads of 256; "
    said = [
        f"{device.title}: {'; '.join(device.sources)}; {device.note}",
        f"{WORST.matrix:.0%} to {BEST.matrix:.0%} of the peak in products and convolutions, {WORST.vector:.0%} to "
        f"{BEST.vector:.0%} of the fp32 peak in depthwise convolutions, {WORST.bandwidth:.0%} to {BEST.bandwidth:.0%} "
        f"of the memory's bandwidth, {BEST.launch_seconds * 1e6:.0f} to {WORST.launch_seconds * 1e6:.0f} µs a kernel",
        f"{attention if engine else ''}pointwise operators join the kernel before them; caches of the device save "
        "nothing between kernels",
        "nothing else runs on the device, clocks are those of the sources; loading, the sampler's arithmetic and "
        "writing the video are not counted",
    ]
    unknown: Counter[str] = Counter()
    for cost in costs:
        unknown += cost.uncounted
    if unknown:
        listed = ", ".join(f"{name} ({count})" for name, count in sorted(unknown.items()))
        said.append(f"operators that are not known here, of which only the bytes were counted: {listed}")
    return said
