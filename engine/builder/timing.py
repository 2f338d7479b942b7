"""TensorRT's timing cache, kept from build to build. TensorRT for RTX measures nothing while it builds and has none."""

from __future__ import annotations

import contextlib
from pathlib import Path

from vidrt.engine.builder.cache import EngineCache
from vidrt.engine.builder.options import BuildOptions
from vidrt.engine.builder.sidecar import Target
from vidrt.engine.errors import IoError


def read_timing_cache(cache: EngineCache, target: Target, options: BuildOptions) -> bytes | None:
    """What was measured before on such a GPU by this version; empty for the first build, None where none is wanted."""
    if not options.timing_cache or target.backend == "tensorrt-rtx":
        return None
    try:
        return _path(cache, target).read_bytes()
    except OSError:
        return b""


def keep_timing_cache(cache: EngineCache, target: Target, content: bytes) -> None:
    """Keep it for the next build. Of builds at the same time the last one's stays; a full disk costs only time."""
    path = _path(cache, target)
    with contextlib.suppress(IoError, OSError):
        path.parent.mkdir(exist_ok=True)
        cache.write(path, content)


def _path(cache: EngineCache, target: Target) -> Path:
    return cache.folder / "timing" / f"{target.version}-{'-'.join(target.compute_capabilities)}.cache"
