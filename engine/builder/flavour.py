"""The two flavours of TensorRT, loaded when they are asked for."""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from vidrt.engine.errors import BackendError
from vidrt.engine.packages import wheel_files

RTX_LIBRARIES = ("libtensorrt_rtx.so.1", "libtensorrt_onnxparser_rtx.so.1")
RTX_CUDA_RUNTIME = "libcudart.so.13"
MODULES = {"tensorrt": ("tensorrt", "tensorrt_bindings"), "tensorrt-rtx": ("tensorrt_rtx", "tensorrt_rtx_bindings")}
INSTALL = {
    "tensorrt": (
        "On a Jetson it comes with JetPack (apt install python3-libnvinfer); elsewhere install the TensorRT SDK, then "
        "`pip install 'vidrt[tensorrt]'` (tensorrt-cu13-bindings)."
    ),
    "tensorrt-rtx": (
        "Run `pip install 'vidrt[tensorrt-rtx]'` (tensorrt-rtx-cu13-bindings, tensorrt-rtx-cu13-libs, "
        "nvidia-cuda-runtime; Linux on x86-64)."
    ),
}


@dataclass(frozen=True)
class Flavour:
    """A loaded TensorRT.

    Attributes:
        backend: "tensorrt" or "tensorrt-rtx".
        version: As "10.15.1.29"; a plan runs in the version that built it.
        api: Its Python module; both flavours have the same names.
    """

    backend: str
    version: str
    api: Any

    @property
    def title(self) -> str:
        """Its name and version for people."""
        return f"{'TensorRT for RTX' if self.backend == 'tensorrt-rtx' else 'TensorRT'} {self.version}"


@cache
def load_flavour(backend: str) -> Flavour:
    """Load a flavour's libraries and Python module, once a process.

    Raises:
        BackendError: It is not installed or does not load; the message says what to install.
    """
    found = [name for name in MODULES[backend] if importlib.util.find_spec(name) is not None]
    if not found:
        raise BackendError(f"backend {backend} needs its Python module, which is not installed. {INSTALL[backend]}")
    try:
        if backend == "tensorrt-rtx":
            _load_rtx_libraries()
        api = importlib.import_module(found[0])
    except (ImportError, OSError) as error:
        raise BackendError(f"backend {backend} does not load: {error}. {INSTALL[backend]}") from error
    return Flavour(backend, api.__version__, api)


def installed_version(backend: str) -> str | None:
    """The version of a flavour; None where it is not installed or does not load."""
    try:
        return load_flavour(backend).version
    except BackendError:
        return None


@cache
def load_plugins(flavour: Flavour, library: Path) -> None:
    """Load a library of plugins into a flavour's registry, once a process: the registry refuses what it has.

    Raises:
        BackendError: It does not load.
    """
    was_there = _is_in_process(library)  # a pipeline with such engines has loaded it
    if flavour.api.get_plugin_registry().load_library(str(library)) is None and not was_there:
        raise BackendError(
            f"the plugin library {library} does not load into {flavour.title}. It must be built for the same major "
            "version (docs/tensorrt_plugin.md)."
        )


def _is_in_process(library: Path) -> bool:
    try:
        ctypes.CDLL(str(library), os.RTLD_NOLOAD | os.RTLD_NOW)
    except OSError:
        return False
    return True


def _load_rtx_libraries() -> None:
    # The bindings look for libraries by name, and the wheels lie outside the loader's path: load them by their paths
    # first. A package of NVIDIA's that does it exists, but as a source package only.
    runtime = next((path for path in wheel_files("nvidia", f"cu*/lib/{RTX_CUDA_RUNTIME}")), Path(RTX_CUDA_RUNTIME))
    ctypes.CDLL(str(runtime), ctypes.RTLD_GLOBAL)
    for name in RTX_LIBRARIES:
        library = next((path for path in wheel_files("tensorrt_rtx_libs", name)), Path(name))
        ctypes.CDLL(str(library), ctypes.RTLD_GLOBAL)
