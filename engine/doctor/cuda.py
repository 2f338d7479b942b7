"""CUDA: driver, devices, runtime, compiler."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from vidrt.engine.doctor.libraries import find_library
from vidrt.engine.doctor.report import Finding, missing, not_applicable, ok, wrong
from vidrt.engine.doctor.surroundings import Surroundings, package_version
from vidrt.engine.packages import wheel_files
from vidrt.engine.text import human_bytes

LEAST_CUDA = (12, 6)
LEAST_CAPABILITY = (8, 0)
NO_GPU = "this machine shows no NVIDIA GPU"

_DRIVER = "install NVIDIA's driver for this GPU (its own installer, or the system's packages), and restart."
_JETSON_DRIVER = "it is a part of JetPack: in a container, start it with NVIDIA's runtime (`--runtime nvidia`)."
_RUNTIMES = ("libcudart.so.13", "libcudart.so.12")
_TOOLKIT = Path("usr/local/cuda")


def driver(around: Surroundings) -> Finding:
    """libcuda.so.1, the CUDA version that it has, and its release."""
    found, failure = around.probe("cuda_driver")
    fix = _DRIVER if around.l4t is None else _JETSON_DRIVER
    if failure is not None:
        return wrong(f"libcuda.so.1: {failure}", "restart the machine; install NVIDIA's driver again if that is all.")
    if not found.get("loaded"):
        if not around.has_nvidia_gpu:
            return not_applicable(NO_GPU)
        return missing(str(found["error"]), fix)
    version, release = found.get("cuda"), _release(around)
    value = f"CUDA {version or 'unknown'}" + (f", driver {release}" if release else "")
    details = {"cuda": version, "release": release}
    if version and _numbers(version) < LEAST_CUDA:
        needed = ".".join(map(str, LEAST_CUDA))
        return wrong(f"{value}: older than CUDA {needed}", f"install a driver with CUDA {needed} or later.", **details)
    return ok(value, **details)


def devices(around: Surroundings) -> Finding:
    """Name, compute capability and memory of each."""
    found, failure = around.probe("cuda_driver")
    if failure is not None or not found.get("loaded"):
        return not_applicable("there is no CUDA driver to ask" if around.has_nvidia_gpu or failure else NO_GPU)
    visible = around.environment.get("CUDA_VISIBLE_DEVICES")
    hint = "" if visible is None else f" CUDA_VISIBLE_DEVICES is {visible!r}: unset it to see all."
    if "error" in found:
        fix = f"restart the machine, and install a driver that fits the kernel (`nvidia-smi` says more).{hint}"
        return wrong(f"the driver gives {found['error']}", fix)
    if not found["devices"]:
        return missing("the driver has no device", f"`nvidia-smi` must list one.{hint}")
    words = [
        f"{index}: {one['name']}, compute capability {one['compute_capability']}, {human_bytes(one['memory_bytes'])}"
        for index, one in enumerate(found["devices"])
    ]
    value = "; ".join(words)
    if all(_numbers(one["compute_capability"]) < LEAST_CAPABILITY for one in found["devices"]):
        needed = ".".join(map(str, LEAST_CAPABILITY))
        fix = f"vidrt's CUDA kernels need compute capability {needed} or later; the CPU serves without."
        return wrong(f"{value}: below {needed}", fix, devices=found["devices"])
    return ok(value, devices=found["devices"])


def runtime(around: Surroundings) -> Finding:
    """libcudart, of the system or of NVIDIA's wheels."""
    wheels = [str(path) for path in wheel_files("nvidia", "*/lib/libcudart.so.*")]
    toolkit = [str(path) for path in sorted((around.root / _TOOLKIT / "lib64").glob("libcudart.so.*"))]
    found = find_library(around, "cuda_runtime", [*wheels, *_RUNTIMES, *toolkit])
    if found.path is not None:
        return ok(f"{found.version} ({found.path})", version=found.version, path=found.path)
    if found.broken is not None:
        return wrong(found.broken, "install the CUDA toolkit, or `nvidia-cuda-runtime` with pip, again.")
    if not has_gpu(around):
        return not_applicable(NO_GPU)
    return missing("no libcudart.so was found", "`pip install nvidia-cuda-runtime`, or install the CUDA toolkit.")


def nvcc(around: Surroundings) -> Finding:
    """The compiler: on PATH, in CUDA_HOME, in /usr/local/cuda, or of NVIDIA's wheels."""
    home = around.environment.get("CUDA_HOME")
    places = [
        shutil.which("nvcc", path=around.environment.get("PATH", "")),
        Path(home, "bin", "nvcc") if home else None,
        around.root / _TOOLKIT / "bin" / "nvcc",
        *wheel_files("nvidia", "*/bin/nvcc"),
    ]
    path = next((str(place) for place in places if place is not None and Path(place).is_file()), None)
    get = "`pip install 'vidrt[nvcc]'` (as `make cuda` does by itself), or install the CUDA toolkit."
    if path is None:
        return missing("nvcc was not found", get)
    answer = around.ask([path, "--version"])
    release = re.search(r"release (\d+\.\d+)", answer.output)
    if release is None:
        return wrong(f"{path}: {answer.failure or 'it does not say its version'}", get)
    version = release[1]
    if _numbers(version) < LEAST_CUDA:
        needed = ".".join(map(str, LEAST_CUDA))
        return wrong(f"{version} ({path}): older than {needed}", get, version=version, path=path)
    package = package_version("nvidia-cuda-nvcc")
    return ok(f"{version} ({path})", version=version, path=path, package=package)


def has_gpu(around: Surroundings) -> bool:
    """Whether there is hardware, or a driver that shows a device (as in WSL, which hides the hardware)."""
    found, _ = around.probe("cuda_driver")
    return around.has_nvidia_gpu or bool(found.get("devices"))


def _release(around: Surroundings) -> str | None:
    first = (around.read("proc/driver/nvidia/version") or "").partition("\n")[0]
    release = re.search(r"\b\d{3}\.\d+(\.\d+)?\b", first)
    return release[0] if release else None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])
