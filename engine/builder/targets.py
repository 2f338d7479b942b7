"""Which GPUs an engine runs on, which one is here, and which precisions they have."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

from vidrt.engine.errors import BackendError

PORTABLE = ("8.0", "8.6", "8.9", "12.0+")
"""What TensorRT for RTX builds for when it is not told: these compute capabilities, and all later than the last."""

_NEEDED = {"fp16": (5, 3), "bf16": (8, 0), "fp8": (8, 9)}
"""The first compute capability that computes in a precision; fp32 all do."""

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


def check_precision(module: str, precision: str, targets: Sequence[str], others: Sequence[str]) -> None:
    """Refuse a precision that a target lacks.

    Args:
        module: Whose engine it is.
        precision: What it would compute in.
        targets: Compute capabilities, as "8.9", or "12.0+" for that and all later.
        others: The other precisions that the module has for the backend.

    Raises:
        BackendError: Naming the module, the target, what has the precision, and which others would do.
    """
    for target in targets:
        if _has(target, precision):
            continue
        first = _NEEDED[precision]
        fitting = [other for other in others if all(_has(one, other) for one in targets)]
        advice = (
            f"Build with --precision {module}={fitting[0]}"
            if fitting
            else f"Export the bundle with --precision {'fp16' if _has(target, 'fp16') else 'fp32'}"
        )
        raise BackendError(
            f"{module} would compute in {precision}, which compute capability {target} lacks; {precision} needs "
            f"{first[0]}.{first[1]} or later. {advice}, or leave {target} out."
        )


def _has(target: str, precision: str) -> bool:
    return precision not in _NEEDED or _number(target.rstrip("+")) >= _NEEDED[precision]


def _number(capability: str) -> tuple[int, int]:
    major, _, minor = capability.partition(".")
    return int(major), int(minor)
