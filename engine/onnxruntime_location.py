"""Where this interpreter's ONNX Runtime lies, found without importing it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from vidrt import _core
from vidrt.engine.packages import package_folders


def onnxruntime_folder() -> Path | None:
    """The folder of the wheel's shared library, or None where `onnxruntime` is not installed."""
    return next((folder / "capi" for folder in package_folders("onnxruntime")), None)


@cache
def announce_onnxruntime() -> None:
    """Tell the core once, before it first looks for the library."""
    folder = onnxruntime_folder()
    if folder is not None:
        _core.add_onnxruntime_search_path(str(folder))
