"""A bundle's folder appears whole or not at all."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path

from vidrt.engine.errors import InvalidArgument, IoError
from vidrt.engine.file_lock import locked
from vidrt.export.manifest import FILE_NAME

RECORDS = ".finished"
"""A folder in a staging folder: what of it is finished. It is not part of the bundle."""
_OWN_SUFFIXES = (".json", ".onnx")
"""Of the files that an export writes at a bundle's top."""
_PARTIAL = ".partial"


@contextlib.contextmanager
def staged_folder(target: Path, *, overwrite: bool, key: str | None = None) -> Iterator[Path]:
    """Give a temporary folder beside the target, and put it in the target's place when the block ends well.

    When the block raises, the temporary folder is removed and the target stays as it was. Files that people keep
    beside a bundle's manifest (a README, a licence) move along when it is replaced. Temporary folders that ended
    processes left for the same target are removed, but for the key's.

    Args:
        target: The bundle's folder.
        overwrite: Whether a bundle that is there may be replaced.
        key: With it, a folder that has RECORDS is kept when the block is interrupted or the disk refuses, and given
            to the next who comes with the same key.

    Raises:
        InvalidArgument: The target exists and may not be replaced, or an export with the key is under way.
        IoError: The disk refuses.
    """
    target = target.resolve()
    kept = _check_target(target, overwrite)
    staging = target.parent / f".{target.name}.{key or uuid.uuid4().hex[:16]}{_PARTIAL}"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with locked(_lock_of(staging), None) as held:
            if not held:
                raise InvalidArgument(f"another process is writing {target}; wait for it, or choose another folder.")
            _remove_leftovers(target, staging)
            with _kept_for_later(staging, resumable=key is not None):
                staging.mkdir(exist_ok=True)
                yield staging
                for path in kept:
                    shutil.copy2(path, staging / path.name)
                shutil.rmtree(staging / RECORDS, ignore_errors=True)
                flush([staging, *staging.rglob("*")])
                _put_in_place(staging, target)
    except OSError as error:
        if isinstance(error, IoError):
            raise
        notes = "".join(f" {note}" for note in getattr(error, "__notes__", ()))
        raise IoError(f"{target} cannot be written: {error.strerror or error}.{notes}") from error


def flush(paths: Iterable[Path]) -> None:
    """Bring files and folders to the disk: a rename must not outlive its content in a power cut."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _check_target(target: Path, overwrite: bool) -> list[Path]:
    """Whether the target may be written, and the files in it that are not the bundle's own."""
    if not target.exists():
        return []
    if not target.is_dir():
        raise InvalidArgument(f"{target} is a file; expected a folder, or a name for a new one.")
    if not any(target.iterdir()):
        return []
    if not (target / FILE_NAME).is_file():
        raise InvalidArgument(f"{target} is no bundle (it has no {FILE_NAME}) and not empty; choose another folder.")
    if not overwrite:
        raise InvalidArgument(f"{target} holds a bundle; choose another folder, or replace it with --overwrite.")
    return [path for path in target.iterdir() if path.is_file() and path.suffix not in _OWN_SUFFIXES]


def _lock_of(staging: Path) -> Path:
    return staging.with_suffix(".lock")


def _remove_leftovers(target: Path, staging: Path) -> None:
    name = re.compile(rf"\.{re.escape(target.name)}\.[0-9a-f]{{16}}{re.escape(_PARTIAL)}")
    for folder in target.parent.iterdir():
        if folder != staging and name.fullmatch(folder.name):
            with locked(_lock_of(folder), None) as unused:
                if unused:
                    shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _kept_for_later(staging: Path, *, resumable: bool) -> Iterator[None]:
    """Remove the folder when the block raises, unless what is finished in it is of use."""
    try:
        yield
    except (KeyboardInterrupt, OSError) as error:
        if resumable and not isinstance(error, IoError) and (staging / RECORDS).is_dir():
            note = f"What is finished stays in {staging}, and the same export goes on from there."
            vars(error)["__notes__"] = [note]  # add_note() of Python 3.11
        else:
            shutil.rmtree(staging, ignore_errors=True)
        raise
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise


def _put_in_place(staging: Path, target: Path) -> None:
    """Rename; an older bundle steps aside first, and comes back when that fails."""
    if not target.exists():
        staging.rename(target)
        return
    aside = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".old", dir=target.parent))
    try:
        target.rename(aside / target.name)
        try:
            staging.rename(target)
        except BaseException:
            (aside / target.name).rename(target)
            raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)
