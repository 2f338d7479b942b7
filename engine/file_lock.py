"""A lock between processes, held while one of them makes what all of them use."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from vidrt.engine.errors import IoError

_POLL_SECONDS = 0.1


@contextlib.contextmanager
def locked(path: Path, wait: Callable[[], object] | None) -> Iterator[bool]:
    """Hold the lock that a file stands for; the file is gone afterwards.

    The system gives the lock back when its process ends in whatever way.

    Args:
        path: The file, whose folder exists.
        wait: Called about ten times a second while another process has the lock; an exception gives up. None does
            not wait.

    Yields:
        Whether the lock is held: False only without wait.

    Raises:
        IoError: The file cannot be made.
    """
    descriptor = _acquire(path, wait)
    if descriptor is None:
        yield False
        return
    try:
        yield True
    finally:
        # While the lock is still held: nobody else can have made sure by now that this is the file to lock.
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        os.close(descriptor)


def _acquire(path: Path, wait: Callable[[], object] | None) -> int | None:
    while True:
        try:
            descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise IoError(f"cannot write {path}: {error.strerror}. Check its folder, rights and space.") from error
        held = False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whoever had it may have removed the file; another process would then lock a new one.
            held = _is(path, descriptor)
        except BlockingIOError:
            if wait is None:
                return None
            wait()
            time.sleep(_POLL_SECONDS)
        finally:
            if not held:
                os.close(descriptor)
        if held:
            return descriptor


def _is(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
