"""Where this interpreter's TensorRT lies, found without importing it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from vidrt import _core
from vidrt.engine.packages import package_folders


def tensorrt_folder() -> Path | None:
    """The folder of the wheel's shared libraries, or None where `tensorrt` is not installed as a wheel."""
    return next(iter(package_folders("tensorrt_libs")), None)


@cache
def announce_tensorrt() -> None:
    """Tell the core once, before it first looks for the library."""
    folder = tensorrt_folder()
    if folder is not None:
        _core.add_tensorrt_search_path(str(folder))
