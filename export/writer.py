"""A bundle's folder appears whole or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from vidrt.engine.errors import InvalidArgument, IoError
from vidrt.export.manifest import FILE_NAME

_OWN_SUFFIXES = (".json", ".onnx")
"""Of the files that an export writes at a bundle's top."""


@contextlib.contextmanager
def staged_folder(target: Path, *, overwrite: bool) -> Iterator[Path]:
    """Give a temporary folder beside the target, and put it in the target's place when the block ends well.

    When the block raises, the temporary folder is removed and the target stays as it was. Files that people keep
    beside a bundle's manifest (a README, a licence) move along when it is replaced.

    Args:
        target: The bundle's folder.
        overwrite: Whether a bundle that is there may be replaced.

    Raises:
        InvalidArgument: The target exists and may not be replaced.
        IoError: The disk refuses.
    """
    target = target.resolve()
    kept = _check_target(target, overwrite)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".partial", dir=target.parent))
    except OSError as error:
        raise IoError(f"{target} cannot be written: {error.strerror}.") from error
    try:
        staging.chmod(0o777 & ~_umask())
        yield staging
        for path in kept:
            shutil.copy2(path, staging / path.name)
        _flush(staging)
        _put_in_place(staging, target)
    except OSError as error:
        raise IoError(f"{target} cannot be written: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


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


def _umask() -> int:
    # There is no call that only reads it.
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _flush(folder: Path) -> None:
    """Bring files and folders to the disk: a rename must not outlive its content in a power cut."""
    for path in [folder, *folder.rglob("*")]:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


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
