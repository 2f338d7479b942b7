"""vidrt's own libraries, which are left out of builds without CUDA or TensorRT and opened when first needed."""

from __future__ import annotations

from pathlib import Path

from vidrt import _core
from vidrt.engine.builder.source import PLUGIN_LIBRARY
from vidrt.engine.doctor.cuda import NO_GPU, has_gpu
from vidrt.engine.doctor.libraries import find_library
from vidrt.engine.doctor.report import Finding, missing, not_applicable, ok, wrong
from vidrt.engine.doctor.surroundings import Surroundings

FOLDER_VARIABLE = "VIDRT_LIBRARY_DIR"


def cuda(around: Surroundings) -> Finding:
    """What keeps the sampling loop on a GPU."""
    return _find(around, "libvidrt_cuda.so", "build vidrt with -DVIDRT_CUDA=ON (docs/devices.md).")


def tensorrt(around: Surroundings) -> Finding:
    """What runs TensorRT engines."""
    return _find(around, "libvidrt_tensorrt.so", "build vidrt where TensorRT's headers are (docs/engines.md).")


def tensorrt_rtx(around: Surroundings) -> Finding:
    """What runs engines of TensorRT for RTX."""
    build = "build vidrt with TENSORRT_RTX_ROOT, the SDK of TensorRT for RTX (docs/engines.md)."
    return _find(around, "libvidrt_tensorrt_rtx.so", build)


def plugins(around: Surroundings) -> Finding:
    """Vidrt's operators for TensorRT."""
    build = f"build {PLUGIN_LIBRARY} where TensorRT's headers are (docs/tensorrt_plugin.md), and name it with --plugin."
    return _find(around, PLUGIN_LIBRARY, build)


def _find(around: Surroundings, name: str, build: str) -> Finding:
    """Look where the core looks: in VIDRT_LIBRARY_DIR alone where it is set, else beside the core and by the loader."""
    folder = around.environment.get(FOLDER_VARIABLE)
    beside = Path(folder or Path(_core.__file__).parent) / name
    found = find_library(around, "any", [str(beside), *([] if folder else [name])])
    if found.path is not None:
        return ok(found.path, path=found.path)
    if found.broken is not None:
        return wrong(found.broken, build)
    if not has_gpu(around):
        return not_applicable(NO_GPU)
    return missing(f"{beside} is not there" + ("" if folder else ", nor has the loader's path it"), build)
