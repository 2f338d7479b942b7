"""The engine that fits a module, a device and a size; or what stands against those that are there."""

from __future__ import annotations

import platform
from collections.abc import Mapping

from vidrt import _core
from vidrt.engine.builder.cache import Broken, EngineCache
from vidrt.engine.builder.sidecar import Engine
from vidrt.engine.builder.targets import runs_on
from vidrt.engine.bundle import Bundle
from vidrt.engine.errors import BackendError


def find_engine(
    cache: EngineCache,
    bundle: Bundle,
    module: _core.Module,
    backend: str,
    *,
    version: str | None,
    compute_capability: str | None,
    sizes: Mapping[str, int],
) -> Engine:
    """Look for an engine that may be used, the newest first, and check its plan.

    Args:
        cache: Where to look.
        bundle: The bundle.
        module: One of its modules.
        backend: "tensorrt" or "tensorrt-rtx".
        version: The TensorRT that will run it; None does not ask.
        compute_capability: Of the device that will run it, as "8.9"; None does not ask.
        sizes: What it must take, by the names of VideoSizes: height, width and num_frames in pixels and frames, batch,
            decode_chunk.

    Raises:
        BackendError: There is none; the message names what differs in each that is there, and how to build one.
    """
    reasons: list[str] = []
    entries = [entry for entry in cache.entries() if not isinstance(entry, Broken)]
    entries.sort(key=lambda entry: entry.sidecar.outcome.built, reverse=True)
    for entry in entries:
        source, target = entry.sidecar.source, entry.sidecar.target
        if (source.bundle, source.module, target.backend) != (bundle.name, module.name, backend):
            continue
        differences = [
            *filter(None, [other_graph(entry, bundle)]),
            *_other_version(entry, version),
            *_other_device(entry, compute_capability),
            *_other_sizes(entry, sizes),
        ]
        if not differences:
            try:
                entry.check()
                return entry
            except BackendError as error:
                differences = [str(error)]
        reasons.append(f"{entry.path.name}: {', '.join(differences)}")
    found = "none was built" if not reasons else "; ".join(reasons)
    raise BackendError(
        f"no engine of {bundle.name}'s {module.name} for {backend} fits: {found}. "
        f"Build one with `vidrt build {bundle.path} --backend {backend}` and the sizes that you want."
    )


def other_graph(engine: Engine, bundle: Bundle) -> str | None:
    """What of an engine's source is no longer in its bundle; None where all is."""
    source = engine.sidecar.source
    variants = bundle.modules[source.module].variants if source.module in bundle.modules else []
    variant = next((one for one in variants if one.id == source.variant), None)
    if variant is None:
        return f"the bundle has no variant {source.variant} of {source.module} any more"
    if variant.sha256 != source.graph_sha256:
        return f"built from graph {source.graph_sha256[:12]}, the bundle has {variant.sha256[:12]}"
    files = {name: bundle.manifest.data_files[name].sha256 for name in variant.data_files}
    return None if files == dict(source.data_files) else "built with other weights than the bundle has"


def _other_version(engine: Engine, version: str | None) -> list[str]:
    target = engine.sidecar.target
    if version is None or target.version == version or target.options.get("version_compatible"):
        return []
    return [f"built by version {target.version}, installed is {version}"]


def _other_device(engine: Engine, capability: str | None) -> list[str]:
    target = engine.sidecar.target
    targets = target.compute_capabilities
    if target.machine != platform.machine():
        return [f"built for {target.machine}, this machine is {platform.machine()}"]
    if capability is None or runs_on(targets, capability):
        return []
    return [f"built for compute capability {', '.join(targets)}, the device has {capability}"]


def _other_sizes(engine: Engine, sizes: Mapping[str, int]) -> list[str]:
    differences = []
    for name, size in sizes.items():
        built = engine.sidecar.size(name)
        if built is not None and size not in built:
            differences.append(f"{name} is {built.min} to {built.max}, asked for {size}")
    return differences
