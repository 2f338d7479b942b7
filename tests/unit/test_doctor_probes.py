"""The probes of `vidrt doctor` with libraries made for them, of which some hang, crash or babble."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from vidrt.engine.doctor import Status, Surroundings, cuda
from vidrt.engine.doctor.libraries import find_library

COMPILER = shutil.which("cc")
pytestmark = pytest.mark.skipif(COMPILER is None, reason="no C compiler (cc) to make the libraries with")

SOUND = r"""
#include <stdio.h>
#include <string.h>
int cuInit(unsigned flags) { printf("a driver that talks\n"); return 0; }
int cuDriverGetVersion(int* version) { *version = 12080; return 0; }
int cuDeviceGetCount(int* count) { *count = 2; return 0; }
int cuDeviceGet(int* device, int index) { *device = index; return 0; }
int cuDeviceGetName(char* name, int size, int device) { strncpy(name, device ? "Second" : "First", size); return 0; }
int cuDeviceGetAttribute(int* value, int which, int device) { *value = which == 75 ? 8 : 7; return 0; }
int cuDeviceTotalMem_v2(size_t* bytes, int device) { *bytes = (size_t)(device + 1) << 33; return 0; }
int cuGetErrorName(int code, const char** name) { *name = "CUDA_ERROR_NO_DEVICE"; return 0; }
"""
WITHOUT_DEVICE = SOUND.replace('printf("a driver that talks\\n"); return 0;', "return 100;")
HANGS = SOUND.replace('printf("a driver that talks\\n");', "for (;;) {}")
CRASHES = SOUND.replace('printf("a driver that talks\\n");', "*(volatile int*)0 = 1;")

Machine = Callable[..., Surroundings]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine whose loader finds a library of this name and source first."""

    def make(name: str, source: str | None, timeout_s: float = 30) -> Surroundings:
        path = tmp_path / name
        if source is None:
            path.write_text("not a library")
        else:
            command = [str(COMPILER), "-shared", "-fPIC", "-w", "-x", "c", "-", "-o", path]
            subprocess.run(command, input=source, text=True, check=True)
        environment = dict(os.environ, LD_LIBRARY_PATH=str(tmp_path))
        return Surroundings(tmp_path / "root", environment, timeout_s=timeout_s)

    return make


def test_a_driver_is_asked_for_its_version_and_devices(machine: Machine) -> None:
    around = machine("libcuda.so.1", SOUND)
    assert cuda.driver(around).details["cuda"] == "12.8"
    assert cuda.devices(around).details["devices"] == [
        {"name": "First", "compute_capability": "8.7", "memory_bytes": 8 << 30},
        {"name": "Second", "compute_capability": "8.7", "memory_bytes": 16 << 30},
    ]
    assert cuda.has_gpu(around)


def test_a_driver_without_a_device_gives_its_reason(machine: Machine) -> None:
    around = machine("libcuda.so.1", WITHOUT_DEVICE)
    assert cuda.driver(around).status is Status.OK
    finding = cuda.devices(around)
    assert (finding.status, finding.value) == (Status.WRONG, "the driver gives CUDA_ERROR_NO_DEVICE")


def test_a_driver_that_hangs_is_given_up(machine: Machine) -> None:
    around = machine("libcuda.so.1", HANGS, timeout_s=1)
    start = time.monotonic()
    finding = cuda.driver(around)
    assert time.monotonic() - start < 10
    assert (finding.status, finding.value) == (Status.WRONG, "libcuda.so.1: it did not answer in 1 s")
    assert cuda.devices(around).status is Status.NOT_APPLICABLE


def test_a_driver_that_crashes_is_a_row(machine: Machine) -> None:
    finding = cuda.driver(machine("libcuda.so.1", CRASHES))
    assert (finding.status, finding.value) == (Status.WRONG, "libcuda.so.1: it crashed (SIGSEGV)")


def test_a_driver_that_lacks_a_function_is_a_row(machine: Machine) -> None:
    finding = cuda.driver(machine("libcuda.so.1", "int cuNothing;"))
    assert finding.status is Status.WRONG
    assert "undefined symbol: cuDriverGetVersion" in finding.value


def test_a_file_that_is_no_library_is_broken_and_not_absent(machine: Machine) -> None:
    found = find_library(machine("libcudart.so.13", None), "cuda_runtime", ["libcudart.so.13"])
    assert found.path is None
    assert found.broken is not None
    assert "file too short" in found.broken or "invalid ELF header" in found.broken


def test_a_library_that_needs_another_is_broken(machine: Machine, tmp_path: Path) -> None:
    around = machine("libneeded.so", "int needed;")
    command = [str(COMPILER), "-shared", "-x", "c", "-", "-o", tmp_path / "libfirst.so", "-Wl,--no-as-needed"]
    subprocess.run([*command, f"-L{tmp_path}", "-lneeded"], input="int first;", text=True, check=True)
    (tmp_path / "libneeded.so").unlink()
    found = find_library(around, "any", ["libfirst.so"])
    assert found.broken is not None
    assert "libneeded.so" in found.broken


def test_the_first_library_that_loads_is_taken_with_its_version(machine: Machine, tmp_path: Path) -> None:
    source = "\n".join(
        f"int getInferLib{part}Version(void) {{ return {number}; }}"
        for part, number in (("Major", 10), ("Minor", 3), ("Patch", 0), ("Build", 30))
    )
    around = machine("libnvinfer.so.10.3.0", source)
    (tmp_path / "libnvinfer.so.10").symlink_to("libnvinfer.so.10.3.0")
    found = find_library(around, "tensorrt", ["libnvinfer.so.11", "libnvinfer.so.10"])
    assert (found.version, found.path) == ("10.3.0.30", str(tmp_path / "libnvinfer.so.10.3.0"))


def test_a_library_under_another_name_is_found_by_its_own(machine: Machine, tmp_path: Path) -> None:
    around = machine("something.so", "int something;")
    (tmp_path / "libalias.so").symlink_to("something.so")
    assert find_library(around, "any", [str(tmp_path / "libalias.so")]).path == str(tmp_path / "libalias.so")


def test_a_library_that_is_nowhere_is_absent(machine: Machine) -> None:
    found = find_library(machine("libother.so", "int other;"), "any", ["/nowhere/libnone.so", "libnone.so"])
    assert (found.path, found.broken) == (None, None)


def test_a_cuda_runtime_says_its_version_without_a_driver(machine: Machine) -> None:
    source = "int cudaRuntimeGetVersion(int* version) { *version = 12060; return 0; }"
    found = find_library(machine("libcudart.so.12", source), "cuda_runtime", ["libcudart.so.12"])
    assert found.version == "12.6"
