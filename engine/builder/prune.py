"""What of an engine cache is of no more use, and its removal."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from vidrt.engine.builder.cache import EngineCache
from vidrt.engine.builder.find import other_graph
from vidrt.engine.builder.sidecar import SUFFIX, Engine
from vidrt.engine.bundle import Bundle
from vidrt.engine.errors import BackendError, BundleError, IoError


@dataclass(frozen=True)
class Removal:
    """Files of one engine that may go, and why."""

    stem: str
    reason: str
    files: tuple[Path, ...]
    bytes: int


def removable(
    cache: EngineCache,
    *,
    versions: Mapping[str, str | None],
    older_than_days: float | None = None,
    everything: bool = False,
) -> list[Removal]:
    """What of a cache may go: engines that nothing can run any more, and what interrupted processes left.

    Args:
        cache: The cache; the plans are read whole.
        versions: By backend the installed TensorRT. Engines of another go; None keeps all of that backend.
        older_than_days: Engines built longer ago go as well.
        everything: All engines go.
    """
    entries = {entry.path.name.removesuffix(SUFFIX): entry for entry in cache.entries()}
    removals = []
    for stem, files in cache.files().items():
        entry = entries.get(stem)
        if not isinstance(entry, Engine):
            failed = all(path == cache.failed_log(stem) for path in files)
            reason = "its build failed" if failed else "its sidecar is missing or damaged"
        else:
            reason = "all are removed" if everything else _useless(entry, versions, older_than_days)
            if reason == "":
                own = (entry.path, entry.plan, entry.log, cache.failed_log(stem))
                files = [path for path in files if path not in own]
                reason = "an interrupted process left it"
        if files:
            removals.append(Removal(stem, reason, tuple(files), sum(path.stat().st_size for path in files)))
    return removals


def remove(cache: EngineCache, removals: list[Removal]) -> list[Removal]:
    """Remove files, but not of an engine that a process builds right now.

    Returns:
        What was removed.

    Raises:
        IoError: A file cannot be removed.
    """
    done = []
    for removal in removals:
        with cache.lock(removal.stem, None) as held:
            if not held:
                continue
            # The sidecar first: without it the rest is no engine.
            for path in sorted(removal.files, key=lambda path: path.suffix != SUFFIX):
                try:
                    path.unlink(missing_ok=True)
                except OSError as error:
                    raise IoError(f"cannot remove {path}: {error.strerror}.") from error
            done.append(removal)
    return done


def _useless(engine: Engine, versions: Mapping[str, str | None], older_than_days: float | None) -> str:
    """Why an engine is of no more use; "" where it is."""
    target, outcome = engine.sidecar.target, engine.sidecar.outcome
    installed = versions.get(target.backend)
    if installed is not None and not target.runs_in(installed):
        return f"built by version {target.version}, installed is {installed}"
    try:
        engine.check()
    except BackendError:
        return "its plan is missing or damaged"
    try:
        changed = other_graph(engine, Bundle(engine.sidecar.source.path))
    except BundleError:
        changed = None  # a bundle that is not there now may come back
    if changed is not None:
        return changed
    age = datetime.datetime.now(datetime.timezone.utc) - datetime.datetime.fromisoformat(outcome.built)
    if older_than_days is not None and age > datetime.timedelta(days=older_than_days):
        return f"built {age.days} days ago"
    return ""
