"""The engines that a pipeline lacks, built for it: those that are missing, and those that do not match what is here."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar, cast, get_args

from vidrt import _core
from vidrt.engine.builder.builder import BuildEvent, BuiltEngine, build_engines
from vidrt.engine.builder.cache import EngineCache
from vidrt.engine.builder.flavour import load_flavour
from vidrt.engine.builder.options import Backend, BuildOptions, Range
from vidrt.engine.builder.profile import module_sizes, video_sizes
from vidrt.engine.builder.source import choose_variant, wished_variants
from vidrt.engine.builder.targets import PORTABLE, local_compute_capability
from vidrt.engine.bundle import Bundle
from vidrt.engine.errors import BackendError, InvalidArgument
from vidrt.engine.events import CancelToken

T = TypeVar("T")


@dataclass(frozen=True)
class EngineUse:
    """A pipeline, as far as it decides which engines it runs.

    Attributes:
        bundle: What they are built from.
        backend: "tensorrt" or "tensorrt-rtx".
        device_index: N of the device cuda:N.
        variant: The variant that is insisted on in every module that has it; None takes the first that can run.
    """

    bundle: Bundle
    backend: Backend
    device_index: int = 0
    variant: str | None = None

    @classmethod
    def of(cls, bundle: Bundle, options: _core.PipelineOptions) -> EngineUse:
        """That of a pipeline with these options.

        Raises:
            InvalidArgument: Its backend runs no engines.
        """
        resolved = _core.resolve_backend(options)
        if resolved.backend not in get_args(Backend):
            raise InvalidArgument(
                f"build_engines (--build-engines) is for the backends {' and '.join(get_args(Backend))}, which run "
                f"engines; the backend {resolved.backend} runs the bundle's graphs as they are. Leave it out, or name "
                "one of these backends."
            )
        index = int(resolved.device.removeprefix("cuda:"))
        return cls(bundle, cast(Backend, resolved.backend), index, resolved.variant or None)


def missing_engines(use: EngineUse, cache: EngineCache) -> list[str]:
    """The modules of which no engine matches, sizes aside.

    An engine matches as it does for the core: its backend, TensorRT's version, the device, the graph with its weights,
    and a variant that the pipeline may take.

    Raises:
        BackendError: TensorRT is missing; the message says what to install.
    """
    version = load_flavour(use.backend).version
    capability = local_compute_capability(use.device_index) or ""
    options = BuildOptions(use.backend, variant=use.variant)

    def matches(module: str, variant: _core.Variant) -> bool:
        wish = (module, variant.id, use.backend, version, capability)
        return _core.engine_fault(cache.folder, use.bundle.core, *wish) == ""

    return [
        name
        for name in _core.generation_modules(use.bundle.manifest)
        if not any(matches(name, variant) for variant in wished_variants(use.bundle.modules[name], options))
    ]


def build_missing(
    use: EngineUse, *, cache: EngineCache | None = None, on_event: Callable[[BuildEvent], object] | None = None
) -> list[BuiltEngine]:
    """Build what missing_engines() names, for all sizes that the bundle allows.

    Args:
        use: Who needs them.
        cache: Where engines are kept; None is the user's, which the core reads.
        on_event: As for build_engines(): an exception from it ends the build and leaves nothing half-built.

    Returns:
        What was built; nothing where nothing is missing.

    Raises:
        BackendError: TensorRT is missing or cannot build, or no variant can be built.
        BundleError: The bundle's weights are damaged.
        IoError: The cache cannot be written.
    """
    cache = cache or EngineCache()
    missing = missing_engines(use, cache)
    if not missing:
        return []
    return build_engines(use.bundle, _options(use, tuple(missing), use.variant), cache=cache, on_event=on_event)


def call_with_engines(
    use: EngineUse,
    call: Callable[[], T],
    *,
    cache: EngineCache | None = None,
    on_event: Callable[[BuildEvent], object] | None = None,
    cancel: CancelToken | None = None,
) -> T:
    """Call the core and, as long as it misses an engine for the sizes of the call, build that and call again.

    Such an engine, too, takes all sizes that the bundle allows. The core finds out before it loads anything.

    Raises:
        BackendError: No engine can be built that takes the sizes; or as build_missing() raises.
        Cancelled: cancel ended a build.
    """
    built: set[str] = set()
    while True:
        try:
            return call()
        except _core.MissingEngine as missing:
            if missing.module in built:
                raise
            built.add(missing.module)
            options = _options_for_sizes(use, missing)
            build_engines(use.bundle, options, cache=cache, on_event=on_event, cancel=cancel)


def _options(use: EngineUse, modules: tuple[str, ...], variant: str | None) -> BuildOptions:
    return BuildOptions(use.backend, modules=modules, variant=variant, compute_capabilities=_targets(use))


def _targets(use: EngineUse) -> tuple[str, ...]:
    """The compute capabilities to build for; none for those of a build that names none."""
    here = local_compute_capability(use.device_index)
    if use.backend == "tensorrt-rtx":
        return () if here is None or _core.runs_on(PORTABLE, here) else (here,)
    if here != (first := local_compute_capability()):
        raise BackendError(
            f"backend tensorrt builds engines on cuda:0 (compute capability {first}), and they would not run on "
            f"cuda:{use.device_index} ({here or 'no such device'}). Set CUDA_VISIBLE_DEVICES to the device that you "
            "want, and leave device out."
        )
    return ()


def _options_for_sizes(use: EngineUse, missing: _core.MissingEngine) -> BuildOptions:
    options = _options(use, (missing.module,), missing.variant or use.variant)
    _, chunk = missing.sizes.get("decode_chunk", (1, 1))
    # The range of chunks is the only one that is narrower than what may be asked for.
    for wider in (options, replace(options, decode_chunk=Range(1, chunk, chunk))):
        with contextlib.suppress(InvalidArgument):  # a decoder that takes the whole clip has no chunks
            if _takes(use.bundle, wider, missing):
                return wider
    sizes = ", ".join(f"{name} {low}" + f" to {high}" * (high != low) for name, (low, high) in missing.sizes.items())
    raise BackendError(
        f"no engine of {missing.module} can be built for {sizes}: an engine takes sizes that the bundle allows, and "
        "tiles are sizes too. Choose others."
    ) from missing


def _takes(bundle: Bundle, options: BuildOptions, missing: _core.MissingEngine) -> bool:
    variant = choose_variant(bundle.modules[missing.module], options)
    ranges = module_sizes(missing.module, variant.inputs, video_sizes(bundle.manifest, options))
    return all(size in ranges[name] for name, ends in missing.sizes.items() if name in ranges for size in ends)
