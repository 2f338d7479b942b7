"""ONNX Runtime: the library, and its execution provider for CUDA."""

from __future__ import annotations

from vidrt.engine.doctor.cuda import NO_GPU, has_gpu
from vidrt.engine.doctor.report import Finding, missing, not_applicable, ok, wrong
from vidrt.engine.doctor.surroundings import Surroundings, package_version
from vidrt.engine.onnxruntime_location import onnxruntime_folder

_VARIABLE = "VIDRT_ONNXRUNTIME"
_CUDA_PROVIDER = "CUDAExecutionProvider"


def library(around: Surroundings) -> Finding:
    """The library that a pipeline would open."""
    found, failure = around.probe("onnxruntime_library")
    reason = failure or found.get("error")
    if reason is None:
        value = f"{found['version']} ({found['path']}); providers {', '.join(found['providers'])}"
        return ok(value, **found)
    if around.environment.get(_VARIABLE):
        return wrong(reason, f"let {_VARIABLE} name a libonnxruntime.so of 1.21 or later that loads, or unset it.")
    install = "`pip install 'vidrt[cpu]'`, or `vidrt[cuda]` for an NVIDIA GPU."
    if failure is not None or onnxruntime_folder() is not None:
        return wrong(reason, f"install it again: {install}")
    return missing(reason, install)


def cuda_provider(around: Surroundings) -> Finding:
    """Whether the library can use the GPU."""
    found, _ = around.probe("onnxruntime_library")
    cpu, gpu = (package_version(name) for name in ("onnxruntime", "onnxruntime-gpu"))
    swap = "`pip uninstall onnxruntime onnxruntime-gpu`, then `pip install 'vidrt[cuda]'`."
    if cpu is not None and gpu is not None:
        return wrong(f"onnxruntime {cpu} and onnxruntime-gpu {gpu} overwrite each other's files", swap)
    if _CUDA_PROVIDER in found.get("providers", ()):
        return ok(_CUDA_PROVIDER, version=gpu)
    if not has_gpu(around):
        return not_applicable(NO_GPU)
    if around.l4t is not None:
        get = "install NVIDIA's build of onnxruntime-gpu for this JetPack: PyPI has none for Jetson."
        return missing(f"ONNX Runtime has no {_CUDA_PROVIDER}", get)
    return missing(f"ONNX Runtime has no {_CUDA_PROVIDER}", swap)
