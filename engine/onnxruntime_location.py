"""Where this interpreter's ONNX Runtime lies, found without importing it."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path

from vidrt import _core


def onnxruntime_folder() -> Path | None:
    """The folder of the wheel's shared library, or None where `onnxruntime` is not installed."""
    spec = importlib.util.find_spec("onnxruntime")
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations))) / "capi"


@cache
def announce_onnxruntime() -> None:
    """Tell the core once, before it first looks for the library."""
    folder = onnxruntime_folder()
    if folder is not None:
        _core.add_onnxruntime_search_path(str(folder))
