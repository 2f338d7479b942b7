"""The engine cache: a folder of plans, each with a sidecar and a build log, that many processes may use at once.

A sidecar names its plan, and the plan's name holds a part of its hash. So renaming the sidecar into its place is the
one moment in which an engine appears or is replaced, and a reader finds a plan and the sidecar that belongs to it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from vidrt.engine.builder.sidecar import SUFFIX, Engine, Sidecar, Source, Target
from vidrt.engine.cache_folder import cache_folder
from vidrt.engine.errors import BackendError, IoError
from vidrt.engine.file_lock import locked
from vidrt.engine.writers.staging import StagedFile, io_error

_PARTS = 4
"""Of an engine's stem, between dots: module, variant, backend, key."""


def default_folder() -> Path:
    """`engines` in vidrt's cache folder."""
    return cache_folder() / "engines"


def engine_stem(source: Source, target: Target) -> str:
    """The name of an engine's files without their ends: different for all that makes another engine."""
    known = {
        "graph": source.graph_sha256,
        "data_files": sorted(source.data_files.items()),
        "precision": source.precision,
        **{name: value for name, value in vars(target).items() if name not in ("sizes", "profile")},
        "profile": {name: vars(shapes) for name, shapes in target.profile.items()},
    }
    key = hashlib.sha256(json.dumps(known, sort_keys=True, default=dict).encode()).hexdigest()[:16]
    return ".".join([_plain(source.module), _plain(source.variant), target.backend, key])


@dataclass(frozen=True)
class Broken:
    """A sidecar that cannot be read."""

    path: Path
    reason: str


class EngineCache:
    """A folder of engines.

    Args:
        folder: Where it is, or will be; None is default_folder().
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = default_folder() if folder is None else folder

    def entries(self) -> list[Engine | Broken]:
        """All engines by name, those included that cannot be used."""
        return [self.read(path) for path in sorted(self.folder.glob("[!.]*" + SUFFIX))]

    def load(self, stem: str) -> Engine | None:
        """The engine of a stem with its plan checked; None where there is none.

        Raises:
            BackendError: There is one, and it is damaged or of something else.
        """
        path = self.folder / (stem + SUFFIX)
        if not path.exists():
            return None
        entry = self.read(path)
        if isinstance(entry, Broken):
            raise BackendError(f"the sidecar {path} cannot be read: {entry.reason}. `vidrt build` builds it again.")
        if engine_stem(entry.sidecar.source, entry.sidecar.target) != stem:
            raise BackendError(
                f"the sidecar {path} is not of the engine that it is named for. `vidrt build` builds it."
            )
        entry.check()
        return entry

    @contextlib.contextmanager
    def lock(self, stem: str, wait: Callable[[], object] | None) -> Iterator[bool]:
        """Hold the lock of a stem; see locked(). Makes the folder. Raises IoError."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise io_error(self.folder, error) from error
        with locked(self.folder / f"{stem}.lock", wait) as held:
            yield held

    def store(self, stem: str, plan: memoryview, sidecar: Sidecar, log: str) -> Engine:
        """Put an engine in the place of the older one of its stem, whose lock the caller holds.

        Args:
            stem: From engine_stem().
            plan: The plan's bytes.
            sidecar: What is known of it; the plan's name, size and hash are filled in here.
            log: TensorRT's log.

        Raises:
            IoError: The disk refuses. The older engine is still there.
        """
        sha256 = hashlib.sha256(plan).hexdigest()
        name = f"{stem}.{sha256[:8]}.plan"
        outcome = replace(sidecar.outcome, plan=name, bytes=plan.nbytes, sha256=sha256)
        engine = Engine(self.folder / (stem + SUFFIX), replace(sidecar, outcome=outcome))
        older = {path for path in self.folder.glob(f"{stem}.*.plan") if path.name != name}
        self.write(engine.plan, plan)
        try:
            self.write(engine.log, log.encode())
            self.write(engine.path, engine.sidecar.to_json().encode())
        except IoError:
            if not any(path.name == name for path in self._named_plans(stem)):
                engine.plan.unlink(missing_ok=True)
            raise
        for path in (*older, self.failed_log(stem)):
            path.unlink(missing_ok=True)
        return engine

    def failed_log(self, stem: str) -> Path:
        """Where the log of a build that failed is kept."""
        return self.folder / f"{stem}.failed.log"

    def keep_failed_log(self, stem: str, log: str) -> Path | None:
        """Keep the log of a build that failed; None where the disk refuses."""
        path = self.failed_log(stem)
        try:
            self.write(path, log.encode())
        except IoError:
            return None
        return path

    def files(self) -> dict[str, list[Path]]:
        """All files by the stem of the engine that they belong to, leftovers of ended processes included."""
        found: dict[str, list[Path]] = {}
        for path in sorted(self.folder.iterdir()) if self.folder.is_dir() else ():
            parts = path.name.lstrip(".").split(".")
            if path.is_file() and len(parts) > _PARTS and path.suffix != ".lock":
                found.setdefault(".".join(parts[:_PARTS]), []).append(path)
        return found

    def _named_plans(self, stem: str) -> list[Path]:
        entry = self.read(self.folder / (stem + SUFFIX))
        return [entry.plan] if isinstance(entry, Engine) else []

    def read(self, path: Path) -> Engine | Broken:
        """What a sidecar says, its plan unchecked."""
        try:
            return Engine(path, Sidecar.from_json(path.read_text(encoding="utf-8")))
        except OSError as error:
            return Broken(path, error.strerror or str(error))
        except ValueError as error:
            return Broken(path, str(error))

    def write(self, path: Path, content: bytes | memoryview) -> None:
        """Write a file of the cache, whole or not at all. Raises IoError."""
        staged = StagedFile(path)
        try:
            staged.path.write_bytes(content)
            staged.commit(path)
        except OSError as error:
            raise io_error(path, error) from error
        finally:
            staged.discard()


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "_", name)
