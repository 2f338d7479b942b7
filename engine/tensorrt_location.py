"""Where this interpreter's TensorRT lies, found without importing it."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path

from vidrt import _core


def tensorrt_folder() -> Path | None:
    """The folder of the wheel's shared libraries, or None where `tensorrt` is not installed as a wheel."""
    spec = importlib.util.find_spec("tensorrt_libs")
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))


@cache
def announce_tensorrt() -> None:
    """Tell the core once, before it first looks for the library."""
    folder = tensorrt_folder()
    if folder is not None:
        _core.add_tensorrt_search_path(str(folder))
