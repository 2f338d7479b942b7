"""Which GPUs an engine runs on, which one is here, and which precisions they have."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

from vidrt.engine.errors import BackendError

PORTABLE = ("8.0", "8.6", "8.9", "12.0+")
"""What TensorRT for RTX builds for when it is not told: these compute capabilities, and all later than the last."""

_NEEDED = {"bf16": (8, 0)}
"""The first compute capability with a precision; those that are not here all have."""

_MAJOR, _MINOR = 75, 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR


def local_compute_capability(device: int = 0) -> str | None:
    """The compute capability of a CUDA device of this machine, as "8.7"; None where there is none."""
    try:
        cuda = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return None
    handle, major, minor = ctypes.c_int(), ctypes.c_int(), ctypes.c_int()
    asked = (
        cuda.cuInit(0) == 0
        and cuda.cuDeviceGet(ctypes.byref(handle), device) == 0
        and cuda.cuDeviceGetAttribute(ctypes.byref(major), _MAJOR, handle) == 0
        and cuda.cuDeviceGetAttribute(ctypes.byref(minor), _MINOR, handle) == 0
    )
    return f"{major.value}.{minor.value}" if asked else None


def check_precision(module: str, precision: str, targets: Sequence[str]) -> None:
    """Refuse a precision that a target lacks.

    Raises:
        BackendError: Naming the module, the target and what has the precision.
    """
    first = _NEEDED.get(precision)
    for target in targets:
        if first is not None and _number(target.rstrip("+")) < first:
            raise BackendError(
                f"{module} computes in {precision}, which compute capability {target} lacks; {precision} needs "
                f"{first[0]}.{first[1]} or later. Export the bundle in fp16 or fp32, or choose another variant."
            )


def _number(capability: str) -> tuple[int, int]:
    major, _, minor = capability.partition(".")
    return int(major), int(minor)
