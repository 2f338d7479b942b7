"""What CMake decides about TensorRT's headers, which a user reads when the backend was not built."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

PROJECT = """
cmake_minimum_required(VERSION 3.22)
project(probe LANGUAGES NONE)
list(PREPEND CMAKE_MODULE_PATH "{modules}")
include(VidrtDependencies)
find_package(TensorRT)
foreach(flavour TensorRT TensorRT_RTX)
  message(STATUS "{mark}${{flavour}}|${{${{flavour}}_FOUND}}|${{${{flavour}}_VERSION}}|${{${{flavour}}_REASON}}")
endforeach()
"""
MARK = "decided|"

Decide = Callable[..., dict[str, tuple[str, str, str]]]


@pytest.fixture
def decide(root: Path, tmp_path: Path) -> Decide:
    """Ask CMake with these variables of the environment: by flavour whether it was found, version and reason."""
    if shutil.which("cmake") is None:
        pytest.skip("there is no cmake")
    project = tmp_path / "project"
    project.mkdir()
    text = PROJECT.format(modules=root / "csrc" / "cmake", mark=MARK)
    (project / "CMakeLists.txt").write_text(text, encoding="utf-8")

    def ask(*arguments: str, **variables: str) -> dict[str, tuple[str, str, str]]:
        clean = {name: value for name, value in os.environ.items() if not re.match("TENSORRT|CUDA|VIDRT", name)}
        build = tempfile.mkdtemp(dir=tmp_path)
        command = ["cmake", "-S", project, "-B", build, "-DCMAKE_FIND_USE_CMAKE_SYSTEM_PATH=OFF", *arguments]
        done = subprocess.run(
            command,
            env={**clean, "VIDRT_TENSORRT_LIBS": "/nowhere", **variables},
            capture_output=True,
            text=True,
            check=True,
        )
        rows = [line.split(MARK)[1].split("|") for line in done.stdout.splitlines() if MARK in line]
        return {flavour: (found, version, reason) for flavour, found, version, reason in rows}

    return ask


@pytest.fixture
def headers(tmp_path: Path) -> Callable[[str, str], str]:
    """A folder of an SDK whose headers are of this version, in the words of this kind of NvInferVersion.h."""

    def make(version: str, words: str) -> str:
        folder = tmp_path / f"sdk-{version}{words}"
        (folder / "include").mkdir(parents=True)
        (folder / "include" / "NvInfer.h").touch()
        lines = [
            f"#define {words.format(part)} {number}"
            for part, number in zip(("MAJOR", "MINOR", "PATCH"), version.split("."), strict=True)
        ]
        (folder / "include" / "NvInferVersion.h").write_text("\n".join(lines), encoding="utf-8")
        return str(folder)

    return make


@pytest.fixture
def cuda(tmp_path: Path) -> str:
    """A CUDA toolkit, as far as it is looked for."""
    (tmp_path / "cuda" / "include" / "crt").mkdir(parents=True)
    (tmp_path / "cuda" / "include" / "crt" / "host_defines.h").touch()
    return str(tmp_path / "cuda")


@pytest.mark.parametrize(("version", "words"), [("10.3.0", "NV_TENSORRT_{}"), ("11.1.0", "TRT_{}_ENTERPRISE")])
def test_headers_in_tensorrt_root_are_found(
    decide: Decide, headers: Callable[[str, str], str], cuda: str, version: str, words: str
) -> None:
    sdk = headers(version, words)
    assert decide(TENSORRT_ROOT=sdk, CUDA_HOME=cuda)["TensorRT"] == ("TRUE", version, "")
    assert decide(f"-DTENSORRT_ROOT={sdk}", CUDA_HOME=cuda)["TensorRT"][0] == "TRUE"


def test_headers_of_tensorrt_for_rtx_have_a_place_of_their_own(
    decide: Decide, headers: Callable[[str, str], str], cuda: str
) -> None:
    sdk = headers("1.6.1", "TRT_{}_RTX")
    found = decide(TENSORRT_RTX_ROOT=sdk, CUDA_HOME=cuda)
    assert found["TensorRT_RTX"] == ("TRUE", "1.6.1", "")
    refused = decide(TENSORRT_ROOT=sdk, CUDA_HOME=cuda)
    assert "is TensorRT for RTX 1.6.1, whose place is TENSORRT_RTX_ROOT" in refused["TensorRT"][2]
    assert refused["TensorRT_RTX"] == ("FALSE", "", "no NvInfer.h in TENSORRT_RTX_ROOT")
    sdk = headers("10.3.0", "NV_TENSORRT_{}")
    other = decide(TENSORRT_RTX_ROOT=sdk, CUDA_HOME=cuda)["TensorRT_RTX"]
    assert (other[0], "has no NvInferVersion.h of TensorRT for RTX" in other[2]) == ("FALSE", True)


def test_what_is_wrong_with_headers_is_the_reason(
    decide: Decide, headers: Callable[[str, str], str], cuda: str, tmp_path: Path
) -> None:
    def reason(root: str) -> str:
        found, _, why = decide(TENSORRT_ROOT=root, CUDA_HOME=cuda)["TensorRT"]
        assert found == "FALSE"
        return why

    assert "is TensorRT 10.2.0, expected 10.3 or later" in reason(headers("10.2.0", "NV_TENSORRT_{}"))
    assert "no NvInferVersion.h that says which version" in reason(headers("10.3.0", "SOMETHING_{}"))
    if not (Path("/usr/local/tensorrt").exists() or Path("/opt/tensorrt").exists()):
        assert reason(str(tmp_path)) == "no NvInfer.h on the system or in TENSORRT_ROOT"


def test_headers_without_those_of_cuda_are_not_enough(decide: Decide, headers: Callable[[str, str], str]) -> None:
    if Path("/usr/local/cuda").exists():
        pytest.skip("this machine has a CUDA toolkit, which is found")
    sdk = headers("10.3.0", "NV_TENSORRT_{}")
    found, _, reason = decide(TENSORRT_ROOT=sdk)["TensorRT"]
    assert (found, "CUDA's headers are not in CUDA_HOME" in reason) == ("FALSE", True)
