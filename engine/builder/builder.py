"""Builds the engines of a bundle that are not in the cache yet."""

from __future__ import annotations

import datetime
import functools
import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vidrt import _core
from vidrt.engine.builder.build_log import BuildLog
from vidrt.engine.builder.cache import EngineCache, engine_stem
from vidrt.engine.builder.compile import Compiled, compile_plan
from vidrt.engine.builder.flavour import Flavour, load_flavour, load_plugins
from vidrt.engine.builder.network import Job
from vidrt.engine.builder.options import BuildOptions
from vidrt.engine.builder.profile import VideoSizes, module_profile, module_sizes, video_sizes
from vidrt.engine.builder.sidecar import Engine, Outcome, Sidecar, Source, Target, sha256_of
from vidrt.engine.builder.source import (
    check_plugins,
    check_wish,
    choose_variant,
    chosen_modules,
    graph_path,
    precisions_of,
    source_of,
)
from vidrt.engine.builder.targets import PORTABLE, check_precision, local_compute_capability
from vidrt.engine.builder.timing import keep_timing_cache, read_timing_cache
from vidrt.engine.bundle import Bundle
from vidrt.engine.errors import BackendError, Cancelled, InvalidArgument
from vidrt.engine.events import CancelToken

_NOT_OPTIONS = (
    *("backend", "modules", "variant", "precisions", "plugins", "compute_capabilities", "timing_cache"),
    *("height", "width", "num_frames", "batch", "decode_chunk"),
)
"""Fields of BuildOptions that say what is built or stand elsewhere in the sidecar, or change nothing in an engine."""


@dataclass(frozen=True)
class BuildEvent:
    """Progress of a build.

    Attributes:
        module: The module being built.
        phase: What TensorRT does, in its own words; "" before it begins.
        done: The share of this module, 0 to 1. 1 comes once, when the engine is in the cache.
        reused: Whether the engine was there already.
        waiting: Whether another process is building the same engine, which is waited for.
    """

    module: str
    phase: str
    done: float
    reused: bool = False
    waiting: bool = False


@dataclass(frozen=True)
class BuiltEngine:
    """One module's engine, and whether it was there already."""

    module: str
    engine: Engine
    reused: bool


@dataclass(frozen=True)
class _Plan:
    """One engine to be had."""

    variant: _core.Variant
    source: Source
    target: Target
    stem: str


def build_engines(
    bundle: Bundle,
    options: BuildOptions,
    *,
    cache: EngineCache | None = None,
    force: bool = False,
    on_event: Callable[[BuildEvent], object] | None = None,
    cancel: CancelToken | None = None,
) -> list[BuiltEngine]:
    """Build what is not in the cache. All options are checked before the first build.

    Args:
        bundle: What to build from; its weights are verified before a build.
        options: What to build.
        cache: Where engines are kept; None is the user's.
        force: Build even what is there.
        on_event: Called on this thread, about 20 times a second. An exception from it ends the build.
        cancel: Ends the build.

    Returns:
        The engines, in the order of the bundle's modules.

    Raises:
        InvalidArgument: The options do not fit the bundle.
        BackendError: TensorRT is missing or cannot build; a precision or a plugin library is missing.
        BundleError: The bundle's weights are damaged.
        IoError: The cache cannot be written; what was there still is.
        Cancelled: cancel said so. Engines that were finished are kept, of others nothing is.
    """
    cache = cache or EngineCache()
    tell = on_event or (lambda event: None)
    modules = chosen_modules(bundle, options.modules)
    check_wish(bundle, options)
    check_plugins(options)
    variants = {module.name: choose_variant(module, options) for module in modules}
    sizes = video_sizes(bundle.manifest, options)
    capabilities = _target_capabilities(options)
    for module in modules:
        variant = variants[module.name]
        others = [one for one in precisions_of(module, options.backend) if one != variant.precision]
        check_precision(module.name, variant.precision, capabilities, others)
    flavour = load_flavour(options.backend)
    _check_capabilities(flavour, options)
    make = functools.partial(_plan, bundle, options, sizes, flavour, capabilities)
    plans = [make(module, variants[module.name]) for module in modules]
    builder = _Builder(bundle, options, flavour, cache, tell, cancel)
    return [builder.get(plan, force=force) for plan in plans]


class _Builder:
    def __init__(
        self,
        bundle: Bundle,
        options: BuildOptions,
        flavour: Flavour,
        cache: EngineCache,
        tell: Callable[[BuildEvent], object],
        cancel: CancelToken | None,
    ) -> None:
        self._bundle, self._options, self._flavour = bundle, options, flavour
        self._cache, self._tell, self._cancel = cache, tell, cancel
        self._verified = False

    def get(self, plan: _Plan, *, force: bool) -> BuiltEngine:
        """The engine of a plan, from the cache or built."""
        module = plan.source.module
        engine = None if force else self._load(plan.stem)
        if engine is None:
            with self._cache.lock(plan.stem, lambda: self._wait(module)):
                # Another process may have built it while this one waited.
                engine = None if force else self._load(plan.stem)
                if engine is None:
                    engine = self._build(plan)
                    self._tell(BuildEvent(module, "", 1.0))
                    return BuiltEngine(module, engine, reused=False)
        self._tell(BuildEvent(module, "", 1.0, reused=True))
        return BuiltEngine(module, engine, reused=True)

    def _load(self, stem: str) -> Engine | None:
        try:
            return self._cache.load(stem)
        except BackendError:  # damaged: built again
            return None

    def _wait(self, module: str) -> None:
        self._tell(BuildEvent(module, "", 0.0, waiting=True))
        self._check_cancel(module)

    def _check_cancel(self, module: str) -> None:
        if self._cancel is not None and self._cancel.cancelled:
            raise Cancelled(f"the build of {module} was cancelled.")

    def _watch(self, module: str, phase: str, done: float) -> bool:
        self._tell(BuildEvent(module, phase, min(done, 0.999)))
        return self._cancel is not None and self._cancel.cancelled

    def _build(self, plan: _Plan) -> Engine:
        module = plan.source.module
        self._tell(BuildEvent(module, "", 0.0))
        self._check_cancel(module)
        if not self._verified:
            # An engine outlives the damage that is built into it.
            self._bundle.verify()
            self._verified = True
        if plan.variant.custom_ops:
            for library in self._options.plugins:
                load_plugins(self._flavour, library)
        timing = read_timing_cache(self._cache, plan.target, self._options)
        title = f"{module} (variant {plan.variant.id})"
        job = Job(title, graph_path(self._bundle, plan.variant), plan.target.profile, timing)
        log = BuildLog()
        try:
            compiled = compile_plan(self._flavour, job, self._options, log, functools.partial(self._watch, module))
        except BackendError as error:
            kept = self._cache.keep_failed_log(plan.stem, log.text())
            if kept is None:
                raise
            raise BackendError(f"{error} TensorRT's log: {kept}") from error
        if compiled.timing_cache is not None:
            keep_timing_cache(self._cache, plan.target, compiled.timing_cache)
        sidecar = Sidecar(plan.source, plan.target, _outcome(compiled, log))
        return self._cache.store(plan.stem, compiled.plan, sidecar, log.text())


def _plan(
    bundle: Bundle,
    options: BuildOptions,
    sizes: VideoSizes,
    flavour: Flavour,
    capabilities: tuple[str, ...],
    module: _core.Module,
    variant: _core.Variant,
) -> _Plan:
    source = source_of(bundle, module, variant)
    target = Target(
        backend=options.backend,
        version=flavour.version,
        compute_capabilities=capabilities,
        machine=platform.machine(),
        sizes={name: str(size) for name, size in module_sizes(module.name, variant.inputs, sizes).items()},
        profile=module_profile(bundle.manifest, module.name, variant.inputs, sizes),
        options={name: value for name, value in asdict(options).items() if name not in _NOT_OPTIONS},
        plugins=_plugin_hashes(options.plugins) if variant.custom_ops else {},
    )
    return _Plan(variant, source, target, engine_stem(source, target))


def _target_capabilities(options: BuildOptions) -> tuple[str, ...]:
    if options.backend == "tensorrt-rtx":
        return options.compute_capabilities or PORTABLE
    here = local_compute_capability()
    if here is None:
        raise BackendError(
            "backend tensorrt builds engines on the GPU that runs them, and this machine has no CUDA device. Build on "
            "the device; or take backend tensorrt-rtx, which builds here for RTX GPUs."
        )
    return ("8.0+",) if options.hardware_compatibility == "ampere_plus" else (here,)


def _check_capabilities(flavour: Flavour, options: BuildOptions) -> None:
    for capability in options.compute_capabilities:
        known = sorted(name for name in flavour.api.ComputeCapability.__members__ if name.startswith("SM"))
        if "SM" + capability.replace(".", "") not in known:
            names = ", ".join(f"{name[2:-1]}.{name[-1]}" for name in sorted(known, key=lambda name: int(name[2:])))
            raise InvalidArgument(f"{flavour.title} builds for compute capability {names}; got {capability}.")


def _plugin_hashes(libraries: tuple[Path, ...]) -> dict[str, str]:
    return {path.name: sha256_of(path) for path in libraries}


def _outcome(compiled: Compiled, log: BuildLog) -> Outcome:
    figures: dict[str, Any] = {name: log.figure(name) for name in ("activation_bytes", "scratch_bytes", "weight_bytes")}
    layers = tuple(log.layers)
    if (loaded := compiled.loaded) is not None:
        layers = layers or loaded.layers
        if figures["activation_bytes"] is None:
            figures["activation_bytes"] = loaded.activation_bytes
        if loaded.streaming is not None:
            figures.update(asdict(loaded.streaming))
    return Outcome(
        plan="",
        bytes=0,
        sha256="",
        layers=layers,
        warnings=tuple(log.warnings),
        build_seconds=round(compiled.seconds, 3),
        built=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        vidrt=_core.__version__,
        **figures,
    )
