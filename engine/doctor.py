"""What this machine and installation can run: facts, and what to do about what is missing."""

from __future__ import annotations

import ctypes
import ctypes.util
import importlib.metadata
import importlib.util
import os
import platform
import shutil
import subprocess
from dataclasses import dataclass, field
from typing import Any

from vidrt import _core
from vidrt.engine.bundle import Bundle, default_bundle
from vidrt.engine.errors import BackendError, BundleError
from vidrt.engine.onnxruntime_location import announce_onnxruntime

_PACKAGES = ("numpy", "pillow", "av", "onnxruntime", "onnxruntime-gpu", "torch", "tensorrt", "tensorrt-rtx")
_TENSORRT_LIBRARIES = ("nvinfer", "tensorrt_rtx")


@dataclass(frozen=True)
class Diagnosis:
    """What was found.

    Attributes:
        facts: Sections of plain values, for JSON as they are.
        suggestions: What to install or set, most important first; empty when all is there.
    """

    facts: dict[str, dict[str, Any]]
    suggestions: list[str] = field(default_factory=list)


def diagnose() -> Diagnosis:
    """Look around. Loads ONNX Runtime's library, and starts nothing else."""
    suggestions: list[str] = []
    facts: dict[str, dict[str, Any]] = {
        "vidrt": {
            "version": _core.__version__,
            "compiler": _core.compiler(),
            "assertions": _core.assertions,
            "python": platform.python_version(),
        },
        "machine": {
            "system": platform.platform(),
            "processor": platform.machine(),
            "cores": os.cpu_count(),
            "cpu_features": _core.cpu_features(),
            "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        },
        "packages": _packages(),
        "backends": {"onnxruntime": _onnxruntime(suggestions), "tensorrt": _tensorrt_libraries()},
        "gpu": _gpu(),
        "video": _encoders(suggestions),
        "bundle": _bundle(suggestions),
    }
    return Diagnosis(facts, suggestions)


def _packages() -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = None
    return found


def _onnxruntime(suggestions: list[str]) -> dict[str, str]:
    announce_onnxruntime()
    try:
        return _core.onnxruntime_facts()
    except BackendError as error:
        suggestions.append("install ONNX Runtime: `pip install 'vidrt[cpu]'`, or `vidrt[cuda]` for an NVIDIA GPU.")
        return {"error": str(error)}


def _tensorrt_libraries() -> dict[str, str | None]:
    return {name: ctypes.util.find_library(name) for name in _TENSORRT_LIBRARIES}


def _gpu() -> dict[str, Any]:
    driver: dict[str, Any] = {"cuda_driver": None, "devices": []}
    try:
        cuda = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return driver
    version = ctypes.c_int()
    if cuda.cuInit(0) == 0 and cuda.cuDriverGetVersion(ctypes.byref(version)) == 0:
        # CUDA writes 12.6 as 12060.
        driver["cuda_driver"] = f"{version.value // 1000}.{version.value % 1000 // 10}"
    driver["devices"] = _nvidia_smi()
    return driver


def _nvidia_smi() -> list[str]:
    command = shutil.which("nvidia-smi")
    if command is None:
        return []
    query = [command, "--query-gpu=name,memory.total,driver_version,compute_cap", "--format=csv,noheader"]
    result = subprocess.run(query, capture_output=True, text=True, check=False)
    return result.stdout.strip().splitlines() if result.returncode == 0 else []


def _encoders(suggestions: list[str]) -> dict[str, bool]:
    formats = {".mp4": False, ".webm": False, ".gif": True, ".y4m": True, "png": True}
    if importlib.util.find_spec("av") is None:
        suggestions.append("install PyAV for .mp4 and .webm: `pip install 'vidrt[video]'` (holds GPL encoders).")
        return formats
    import av

    formats[".mp4"] = "libx264" in av.codecs_available
    formats[".webm"] = "libvpx-vp9" in av.codecs_available
    return formats


def _bundle(suggestions: list[str]) -> dict[str, str]:
    try:
        bundle = Bundle(default_bundle())
    except BundleError as error:
        suggestions.append("name a bundle with --bundle, or once and for all with VIDRT_BUNDLE.")
        return {"error": str(error)}
    return {"path": str(bundle.path), "name": bundle.name}
