"""The engine that fits a module, a device and a size; or what stands against those that are there."""

from __future__ import annotations

from collections.abc import Mapping

from vidrt import _core
from vidrt.engine.builder.cache import Broken, EngineCache
from vidrt.engine.builder.sidecar import Engine
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
    """Look for an engine that may be used, the least activation memory first, then the newest; check its plan.

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
    sidecar = _core.find_engine(
        cache.folder, bundle.core, module.name, backend, version or "", compute_capability or "", dict(sizes)
    )
    entry = cache.read(sidecar)
    if isinstance(entry, Broken):
        raise BackendError(f"the sidecar {entry.path} changed while it was read: {entry.reason}. Try again.")
    return entry


def other_graph(engine: Engine, bundle: Bundle) -> str | None:
    """What of an engine's source is no longer in its bundle; None where all is."""
    return _core.changed_source(engine.path, bundle.core) or None
