"""Exit codes and how an error is told to a person. The table is part of `vidrt --help`."""

from __future__ import annotations

import os
import sys
import traceback

from vidrt.engine.errors import BackendError, BundleError, Cancelled, Error, InvalidArgument, IoError, OutOfMemory

OK = 0
INTERNAL = 1
BAD_INPUT = 2  # the command line parser's own code for a usage error
BACKEND = 4
CANCELLED = 130  # 128 + SIGINT, as shells report it

_CODES: dict[type[Exception], int] = {
    InvalidArgument: BAD_INPUT,
    BundleError: 3,
    BackendError: BACKEND,
    OutOfMemory: 5,
    IoError: 6,
    Cancelled: CANCELLED,
    MemoryError: 5,
}

EPILOG = (
    "Exit codes: 0 ok, 1 internal error, 2 bad input or usage, 3 bundle, 4 backend or library, 5 memory, "
    "6 reading or writing files, 130 cancelled. VIDRT_DEBUG=1 shows tracebacks."
)


def debugging() -> bool:
    """Whether the user asked for tracebacks."""
    return os.environ.get("VIDRT_DEBUG", "") not in ("", "0")


def code_of(error: Exception) -> int:
    """The exit code of an error."""
    return next((code for kind, code in _CODES.items() if isinstance(error, kind)), INTERNAL)


def report(error: Exception) -> int:
    """Print an error to stderr and return its exit code."""
    if debugging():
        traceback.print_exception(error)
    if isinstance(error, (Error, MemoryError)):
        print(f"error: {error}", file=sys.stderr)
    else:
        # Not the user's fault: say so, and how to tell us.
        print(f"internal error: {type(error).__name__}: {error}", file=sys.stderr)
        print("This is a bug in vidrt. Set VIDRT_DEBUG=1 to see where it happened.", file=sys.stderr)
    return code_of(error)
