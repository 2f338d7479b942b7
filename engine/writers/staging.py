"""Output that is written beside its target and renamed onto it: whole, or not there at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from pathlib import Path

from vidrt.engine.errors import IoError


def io_error(path: Path, error: OSError) -> IoError:
    """Say which file could not be written and why, in the system's words."""
    reason = os.strerror(error.errno) if error.errno else str(error)
    return IoError(f"cannot write {path}: {reason}. Nothing was left there; check its folder, rights and space.")


class StagedFile:
    """A temporary file in the target's folder, made at once so that an unwritable place is known before any work.

    Raises:
        IoError: If it cannot be made.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        # The suffix stays: encoders choose their container by it. The dot hides it from a listing while it grows.
        self.path = target.with_name(f".{target.stem}.{secrets.token_hex(4)}{target.suffix}")
        if target.is_dir():
            raise IoError(f"cannot write {target}: it is a folder.")
        try:
            # Not tempfile: its files are private to the user, the result must follow the umask.
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o666))
        except OSError as error:
            raise io_error(target, error) from error

    def commit(self, target: Path) -> None:
        """Make it durable and rename it. Raises OSError."""
        with self.path.open("rb+") as file:
            os.fsync(file.fileno())
        self.path.replace(target)

    def discard(self) -> None:
        """Remove it. Does nothing after commit()."""
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()


def write_whole(path: Path, data: bytes) -> None:
    """Replace a file: a reader sees the old one or the new one. Raises IoError."""
    staged = StagedFile(path)
    try:
        staged.path.write_bytes(data)
        staged.commit(path)
    except OSError as error:
        raise io_error(path, error) from error
    finally:
        staged.discard()


class StagedFolder:
    """The same for a folder. The target may exist only if it is empty.

    Raises:
        IoError: If it cannot be made, or the target exists with something in it.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
        try:
            if target.exists() and (not target.is_dir() or any(target.iterdir())):
                raise IoError(f"cannot write the folder {target}: it exists and is not an empty folder.")
            self.path.mkdir()
        except OSError as error:
            if isinstance(error, IoError):
                raise
            raise io_error(target, error) from error

    def commit(self, target: Path) -> None:
        """Rename it; a rename onto an empty folder replaces that. Raises OSError."""
        self.path.rename(target)

    def discard(self) -> None:
        """Remove it. Does nothing after commit()."""
        shutil.rmtree(self.path, ignore_errors=True)
