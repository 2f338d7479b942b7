"""Who takes part in benchmarks/gpu_depthwise.py: the same convolution by vidrt's kernels, PyTorch, cuDNN, TensorRT."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path

import torch
from gpu_case import Case, Tensors, UnavailableError, convolve
from gpu_tensorrt import tensorrt
from torch.nn import functional as F

Contender = Callable[[], torch.Tensor]
"""Queues the convolution on the current stream and gives Y."""


def contenders_of(library: Path, case: Case) -> tuple[dict[str, Contender], dict[str, str]]:
    """Those that can take part, and why the others cannot."""
    planar, last = Tensors.random(case, "NCTHW"), Tensors.random(case, "NTHWC")
    copied = torch.empty_like(planar.x)
    wanted: dict[str, Callable[[], Contender]] = {
        "vidrt NCTHW": lambda: vidrt(library, case, "NCTHW", planar),
        "vidrt NTHWC": lambda: vidrt(library, case, "NTHWC", last),
        "pytorch NCTHW": lambda: pytorch(case, planar, cudnn=False),
        "cudnn NTHWC": lambda: pytorch(case, last, cudnn=True),
        "tensorrt NCTHW": lambda: tensorrt(case, "NCTHW", planar),
        "tensorrt NTHWC": lambda: tensorrt(case, "NTHWC", last),
        "copy": lambda: lambda: copied.copy_(planar.x),
    }
    if case.is_separable:
        wanted["vidrt, then cudnn NTHWC"] = lambda: two_operators(library, case, last)
    present, absent = {}, {}
    for name, make in wanted.items():
        try:
            present[name] = make()
        except UnavailableError as error:
            absent[name] = str(error)
    return present, absent


def vidrt(library: Path, case: Case, layout: str, tensors: Tensors) -> Contender:
    """The operator that this benchmark is about."""
    return separable(library, case, layout, tensors) if case.is_separable else depthwise(library, case, layout, tensors)


def depthwise(library: Path, case: Case, layout: str, tensors: Tensors) -> Contender:
    """The depthwise convolution of a case, with its bias and SiLU."""
    launch = ctypes.CDLL(str(library)).vidrt_bench_depthwise
    y = torch.empty_like(tensors.x)
    words = (case.type.encode(), layout.encode(), _sizes(case), int(case.is_causal), int(case.has_silu))
    pointers = [_pointer(one) for one in (tensors.x, tensors.weight, tensors.bias, y)]
    return _launched(lambda: launch(*words, *pointers, _stream()), y, f"{case} in {layout}", tensors)


def separable(library: Path, case: Case, layout: str, tensors: Tensors) -> Contender:
    """Both convolutions by one launcher."""
    functions = ctypes.CDLL(str(library))
    ask = functions.vidrt_bench_separable_workspace
    ask.restype = ctypes.c_int64
    words = (case.type.encode(), layout.encode(), _sizes(case))
    size = ask(*words)
    if size < 0:
        raise RuntimeError(f"vidrt's library refuses {case} in {layout}; its message stands above")
    workspace = torch.empty(size, dtype=torch.uint8, device=tensors.x.device)
    y = torch.empty_like(tensors.x)
    own = (tensors.x, tensors.weight, tensors.bias, tensors.pointwise, tensors.pointwise_bias)
    pointers = (ctypes.c_void_p * len(own))(*(_pointer(one) for one in own))
    behind = (_pointer(workspace), _pointer(y))
    launch = functions.vidrt_bench_separable
    return _launched(lambda: launch(*words, pointers, *behind, _stream()), y, f"{case} in {layout}", tensors, workspace)


def two_operators(library: Path, case: Case, tensors: Tensors) -> Contender:
    """The depthwise operator, and cuDNN for the 1x1x1 convolution behind it: what the fused operator must beat."""
    first = depthwise(library, case, "NTHWC", tensors)
    pointwise = tensors.pointwise
    assert pointwise is not None

    def then(y: torch.Tensor) -> torch.Tensor:
        return F.conv3d(y, pointwise, tensors.pointwise_bias)

    return _in_pytorch(lambda: then(first()), cudnn=True)


def pytorch(case: Case, tensors: Tensors, *, cudnn: bool) -> Contender:
    """PyTorch's own kernels, or cuDNN's by PyTorch's search among its algorithms."""
    return _in_pytorch(lambda: convolve(case, tensors), cudnn=cudnn)


def _in_pytorch(run: Contender, *, cudnn: bool) -> Contender:
    if cudnn and not torch.backends.cudnn.is_available():
        raise UnavailableError("this PyTorch has no cuDNN")

    def configured() -> torch.Tensor:
        with torch.inference_mode(), torch.backends.cudnn.flags(enabled=cudnn, benchmark=True, allow_tf32=False):
            return run()

    return configured


def _sizes(case: Case) -> ctypes.Array[ctypes.c_int64]:
    return (ctypes.c_int64 * 7)(*case.shape, *case.kernel)


def _pointer(tensor: torch.Tensor | None) -> ctypes.c_void_p:
    return ctypes.c_void_p(None if tensor is None else tensor.data_ptr())


def _stream() -> ctypes.c_void_p:
    return ctypes.c_void_p(torch.cuda.current_stream().cuda_stream)


def _launched(launch: Callable[[], int], y: torch.Tensor, what: str, *kept: object) -> Contender:
    # The launch has addresses alone: what lies there lives as long as the contender.
    def run(_kept: object = kept) -> torch.Tensor:
        error = launch()
        if error != 0:
            raise RuntimeError(f"vidrt's launch of {what} failed with CUDA error {error}")
        return y

    return run
