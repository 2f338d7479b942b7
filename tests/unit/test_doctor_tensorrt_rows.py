"""The rows of `vidrt doctor` on TensorRT and its ONNX parser, in each state of a made-up machine."""

from __future__ import annotations

from typing import Any

import pytest
from doctor_machine import (
    GPU,
    JETSON,
    MISSING,
    NOT_APPLICABLE,
    OK,
    WRONG,
    Answers,
    Around,
    absent,
    expect,
    present,
    unloadable,
)

from vidrt.engine.doctor import Status, tensorrt


@pytest.mark.parametrize(
    ("modules", "answer", "files", "status", "value"),
    [
        (("tensorrt",), {"version": "10.15.1.29"}, {}, OK, "10.15.1.29 (module tensorrt)"),
        (("tensorrt_bindings",), {"version": "10.15.1.29"}, {}, OK, "(module tensorrt_bindings)"),
        (("tensorrt",), {"error": "does not load: libnvinfer.so.10"}, {}, WRONG, "libnvinfer.so.10"),
        (("tensorrt",), "it crashed (SIGABRT)", {}, WRONG, "tensorrt: it crashed (SIGABRT)"),
        ((), {}, {}, NOT_APPLICABLE, "no NVIDIA GPU"),
        ((), {}, GPU, MISSING, "no Python module tensorrt or tensorrt_bindings"),
        ((), {}, JETSON, MISSING, "no Python module"),
    ],
)
def test_tensorrt_python(
    around: Around, modules: tuple[str, ...], answer: Any, files: Any, status: Status, value: str
) -> None:
    expect(tensorrt.python(around({"tensorrt_python": answer}, files, modules)), status, value, "vidrt[tensorrt]")


@pytest.mark.parametrize(
    ("modules", "architecture", "files", "status", "value"),
    [
        (("tensorrt_rtx",), "x86_64", {}, OK, "1.7.1.116"),
        ((), "x86_64", {}, MISSING, "no Python module tensorrt_rtx"),  # it builds without a GPU
        ((), "aarch64", {}, NOT_APPLICABLE, "Linux on x86-64"),
        ((), "aarch64", JETSON, NOT_APPLICABLE, "Linux on x86-64"),
    ],
)
def test_tensorrt_rtx_python(
    around: Around, modules: tuple[str, ...], architecture: str, files: Any, status: Status, value: str
) -> None:
    place = around({"tensorrt_python": {"version": "1.7.1.116"}}, files, modules, architecture)
    expect(tensorrt.rtx_python(place), status, value, "vidrt[tensorrt-rtx]")


def only_inference(kind: str, *candidates: str) -> Answers:
    return (present("1.7.1.116") if kind == "tensorrt" else absent)(kind, *candidates)


@pytest.mark.parametrize(
    ("library", "bindings", "status", "value"),
    [
        (present("1.7.1.116"), "1.7.1.116", OK, "1.7.1.116 (/lib/libtensorrt_rtx.so.1)"),
        (present("1.7.1.116"), None, OK, "1.7.1.116"),
        (
            present("1.6.0.9"),
            "1.7.1.116",
            WRONG,
            "1.6.0.9 (/lib/libtensorrt_rtx.so.1), but the Python bindings are 1.7.1",
        ),
        (present(None), None, WRONG, "before TensorRT 10"),
        (only_inference, "1.7.1.116", OK, "1.7.1.116"),  # runs engines
        (absent, None, MISSING, "no library was found"),
        (unloadable, None, WRONG, "libneeded.so.7"),
        ("it crashed (SIGSEGV)", None, WRONG, "it crashed (SIGSEGV)"),
    ],
)
def test_tensorrt_rtx_libraries(around: Around, library: Any, bindings: str, status: Status, value: str) -> None:
    modules = () if bindings is None else ("tensorrt_rtx",)
    place = around({"shared_library": library, "tensorrt_python": {"version": bindings}}, modules=modules)
    expect(tensorrt.rtx_libraries(place), status, value, "tensorrt-rtx")


def test_tensorrt_libraries_are_looked_for_in_both_major_versions(around: Around) -> None:
    asked: list[str] = []

    def library(kind: str, *candidates: str) -> Answers:
        asked.extend(candidates)
        return present("10.3.0.30")(kind, *candidates)

    expect(tensorrt.libraries(around({"shared_library": library}, modules=())), OK, "10.3.0.30")
    assert asked == ["libnvinfer.so.11", "libnvinfer.so.10", "libnvonnxparser.so.11", "libnvonnxparser.so.10"]


@pytest.mark.parametrize(
    ("row", "name", "fix"),
    [
        (tensorrt.parser, "libnvonnxparser.so.11", "vidrt[tensorrt]"),
        (tensorrt.rtx_parser, "libtensorrt_onnxparser_rtx.so.1", "vidrt[tensorrt-rtx]"),
    ],
)
@pytest.mark.parametrize(
    ("library", "files", "status", "value"),
    [
        (present(None), {}, OK, ""),
        (only_inference, {}, MISSING, "none of "),  # wanted where there is a TensorRT, whatever else is
        (absent, GPU, MISSING, "none of "),
        (unloadable, GPU, WRONG, "libneeded.so.7"),
    ],
)
def test_the_onnx_parser_is_a_row_of_its_own_for_only_building_needs_it(
    around: Around, row: Any, name: str, fix: str, library: Any, files: Any, status: Status, value: str
) -> None:
    expect(row(around({"shared_library": library}, files, modules=())), status, value or name, fix)


def test_a_machine_without_tensorrt_and_without_a_gpu_wants_no_parser(around: Around) -> None:
    assert tensorrt.parser(around({"shared_library": absent}, modules=())).status is NOT_APPLICABLE
    place = around({"shared_library": absent}, modules=(), machine="aarch64")
    assert tensorrt.rtx_parser(place).status is NOT_APPLICABLE


@pytest.mark.parametrize(
    ("library", "architecture", "status", "value"),
    [
        (present("13.0"), "x86_64", OK, "13.0 (/lib/libcudart.so.13)"),
        (absent, "x86_64", MISSING, "no libcudart.so.13"),
        (absent, "aarch64", NOT_APPLICABLE, "x86-64"),
        (unloadable, "x86_64", WRONG, "libneeded.so.7"),
    ],
)
def test_tensorrt_rtx_cuda_runtime(around: Around, library: Any, architecture: str, status: Status, value: str) -> None:
    place = around({"shared_library": library}, modules=(), machine=architecture)
    expect(tensorrt.rtx_cuda_runtime(place), status, value, "nvidia-cuda-runtime")
