"""Print what CUDA's driver API says of this machine, as JSON. Run by vidrt.engine.doctor in a process of its own."""

import ctypes
import json
from collections.abc import Callable

_MAJOR, _MINOR = 75, 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR


def main() -> dict[str, object]:
    """`error` where a step fails: the library, cuInit, or a question."""
    try:
        cuda = ctypes.CDLL("libcuda.so.1")
    except OSError as error:
        return {"error": str(error)}
    found: dict[str, object] = {"loaded": True, "devices": []}
    version = ctypes.c_int()
    if cuda.cuDriverGetVersion(ctypes.byref(version)) == 0:
        # CUDA writes 12.6 as 12060.
        found["cuda"] = f"{version.value // 1000}.{version.value % 1000 // 10}"

    def check(code: int) -> None:
        if code != 0:
            name = ctypes.c_char_p()
            known = cuda.cuGetErrorName(code, ctypes.byref(name)) == 0 and name.value
            raise RuntimeError(name.value.decode() if known and name.value else f"CUDA error {code}")

    try:
        check(cuda.cuInit(0))
        count = ctypes.c_int()
        check(cuda.cuDeviceGetCount(ctypes.byref(count)))
        found["devices"] = [_device(cuda, check, index) for index in range(count.value)]
    except RuntimeError as error:
        found["error"] = str(error)
    return found


def _device(cuda: ctypes.CDLL, check: Callable[[int], None], index: int) -> dict[str, object]:
    handle, major, minor = ctypes.c_int(), ctypes.c_int(), ctypes.c_int()
    name, memory = ctypes.create_string_buffer(256), ctypes.c_size_t()
    check(cuda.cuDeviceGet(ctypes.byref(handle), index))
    check(cuda.cuDeviceGetName(name, len(name), handle))
    check(cuda.cuDeviceGetAttribute(ctypes.byref(major), _MAJOR, handle))
    check(cuda.cuDeviceGetAttribute(ctypes.byref(minor), _MINOR, handle))
    check(cuda.cuDeviceTotalMem_v2(ctypes.byref(memory), handle))
    capability = f"{major.value}.{minor.value}"
    return {
        "name": name.value.decode(errors="replace"),
        "compute_capability": capability,
        "memory_bytes": memory.value,
    }


if __name__ == "__main__":
    print(json.dumps(main()))
