"""Where this interpreter's TensorRT lies, either flavour, found without importing it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from vidrt import _core
from vidrt.engine.packages import package_folders

PACKAGES = {"tensorrt": "tensorrt_libs", "tensorrt-rtx": "tensorrt_rtx_libs"}
"""By backend, the package with the shared libraries."""


def tensorrt_folder(backend: str) -> Path | None:
    """The folder of the wheel's shared libraries, or None where that flavour is not installed as a wheel."""
    return next(iter(package_folders(PACKAGES[backend])), None)


@cache
def announce_tensorrt() -> None:
    """Tell the core once, before it first looks for the libraries."""
    for backend in PACKAGES:
        folder = tensorrt_folder(backend)
        if folder is not None:
            _core.add_tensorrt_search_path(backend, str(folder))
