"""The two convolutions of the pocket networks: PyTorch's operators, or faster forms while training on a CPU.

PyTorch's CPU backward of a depthwise 3D convolution takes several times as long as the forward; depthwise_train.cpp
does both gradients with the channels in vector registers. Export and inference never use it.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from vidrt.engine.cache_folder import cache_folder
from vidrt.engine.file_lock import locked

_native: Any = None
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # of glibc's malloc.h


def enable_training_kernel() -> None:
    """Compile and use the native operator from now on, for float32 tensors whose channels divide by 32.

    It is compiled once for each PyTorch, into `extensions` in vidrt's cache folder.

    Raises:
        RuntimeError: there is no C++ compiler, or it failed.
    """
    global _native
    from torch.utils.cpp_extension import load

    folder = cache_folder() / "extensions" / f"torch-{torch.__version__}-{sys.implementation.cache_tag}"
    folder.mkdir(parents=True, exist_ok=True)
    # ninja may live beside the interpreter rather than on the PATH.
    os.environ["PATH"] = str(Path(sys.executable).parent) + os.pathsep + os.environ["PATH"]
    flags = ["-O3", "-march=native", "-fopenmp", "-ffast-math"]
    source = Path(__file__).with_name("depthwise_train.cpp")
    with locked(folder.with_name(folder.name + ".lock"), wait=lambda: None):
        # PyTorch's own lock is a file that a killed process leaves behind; the next one would wait for ever.
        (folder / "lock").unlink(missing_ok=True)
        _native = load("vidrt_depthwise_train", [str(source)], extra_cflags=flags, build_directory=str(folder))


def keep_freed_memory() -> None:
    """Tell glibc not to give freed memory back: a training step frees and takes the same gigabyte again and again.

    Without this, page faults are a good part of a step. Other C libraries are left as they are.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


class _Depthwise(torch.autograd.Function):
    """The native operator. x: (B,T,H,W,C) contiguous; weight: (27,C); front: frames a tap's window reaches back."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, front: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.front = front
        return _native.forward(x, weight, bias, front)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        x, weight = ctx.saved_tensors
        dx, dweight, dbias = _native.backward(x, weight, grads[0].contiguous(), ctx.front)
        return dx, dweight, dbias, None


def depthwise_conv3d(x: Tensor, weight: Tensor, bias: Tensor, front: int) -> Tensor:
    """Convolve every channel with its own 3x3x3 kernel, zeros around.

    Args:
        x: (B,C,T,H,W).
        weight: (C,1,3,3,3).
        bias: (C).
        front: zero frames put before the clip: 1 for `same`, 2 for `causal`. The other 2 - front come after it.

    Returns:
        (B,C,T,H,W).
    """
    channels = x.shape[1]
    if _native is not None and torch.is_grad_enabled() and x.dtype == torch.float32 and channels % 32 == 0:
        y = _Depthwise.apply(
            x.permute(0, 2, 3, 4, 1).contiguous(), weight.view(channels, 27).t().contiguous(), bias, front
        )
        return y.permute(0, 4, 1, 2, 3)
    if front == 1:
        return F.conv3d(x, weight, bias, padding=1, groups=channels)
    return F.conv3d(F.pad(x, (0, 0, 0, 0, front, 2 - front)), weight, bias, padding=(0, 1, 1), groups=channels)


def pointwise_conv3d(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """A 1x1x1 convolution; while training on a CPU a matrix product over the channels-last view, which is faster.

    Args:
        x: (B,C,T,H,W).
        weight: (O,C,1,1,1).
        bias: (O).

    Returns:
        (B,O,T,H,W).
    """
    if _native is not None and torch.is_grad_enabled():
        return F.linear(x.permute(0, 2, 3, 4, 1), weight.flatten(1), bias).permute(0, 4, 1, 2, 3)
    return F.conv3d(x, weight, bias)
