"""Each row of `vidrt doctor` in each of its states, with made-up answers and a made-up root folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vidrt.engine.doctor import (
    Finding,
    Status,
    Surroundings,
    cuda,
    installation,
    machine,
    onnxruntime,
    own_libraries,
    tensorrt,
)
from vidrt.engine.doctor import surroundings as surroundings_module

OK, MISSING, WRONG, NOT_APPLICABLE = Status.OK, Status.MISSING, Status.WRONG, Status.NOT_APPLICABLE
RTX = {"name": "NVIDIA GeForce RTX 4090", "compute_capability": "8.9", "memory_bytes": 24 << 30}
OLD = {"name": "Tesla T4", "compute_capability": "7.5", "memory_bytes": 15 << 30}
DRIVER = {"loaded": True, "cuda": "13.0", "devices": [RTX]}
NONE = {"error": "libcuda.so.1: cannot open shared object file: No such file or directory"}

Answers = dict[str, Any]
Around = Callable[..., Surroundings]


@pytest.fixture
def around(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Around:
    """A machine with these answers of probes by name, these files below its root, and these Python modules."""

    def make(
        answers: Answers | None = None,
        files: dict[str, str] | None = None,
        modules: tuple[str, ...] | None = None,
        machine: str = "x86_64",
        **environment: str,
    ) -> Surroundings:
        def run_probe(name: str, arguments: Any, *_: Any) -> tuple[dict[str, Any], str | None]:
            answer = ({"cuda_driver": NONE} | (answers or {}))[name]
            answer = answer(*arguments) if callable(answer) else answer
            return ({}, answer) if isinstance(answer, str) else (answer, None)

        monkeypatch.setattr(surroundings_module, "run_probe", run_probe)
        for module in (cuda, tensorrt):
            monkeypatch.setattr(module, "wheel_files", lambda package, pattern: [])
        if modules is not None:
            for user in (tensorrt, installation):
                monkeypatch.setattr(user, "is_importable", lambda name: name in modules)
        for name, text in (files or {}).items():
            path = tmp_path / "root" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return Surroundings(tmp_path / "root", environment, machine, timeout_s=5)

    return make


GPU = {"sys/bus/pci/devices/0000:01:00.0/vendor": "0x10de\n", "sys/bus/pci/devices/0000:01:00.0/class": "0x030000\n"}
SOUND = {"sys/bus/pci/devices/0000:01:00.1/vendor": "0x10de\n", "sys/bus/pci/devices/0000:01:00.1/class": "0x040300\n"}
JETSON = {
    "etc/nv_tegra_release": "# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64, DATE: x\n"
}


def expect(finding: Finding, status: Status, value: str = "", fix: str | None = None) -> None:
    assert finding.status is status, finding
    assert value in finding.value
    if status in (OK, NOT_APPLICABLE):
        assert finding.fix is None
    else:
        assert finding.fix
        assert (fix or "") in finding.fix


@pytest.mark.parametrize(
    ("answer", "files", "status", "value", "fix"),
    [
        (DRIVER, {}, OK, "CUDA 13.0", None),
        (DRIVER, {"proc/driver/nvidia/version": "NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.65.06  R"},
         OK, "CUDA 13.0, driver 580.65.06", None),
        (DRIVER | {"cuda": "12.2"}, {}, WRONG, "older than CUDA 12.6", "12.6 or later"),
        (NONE, {}, NOT_APPLICABLE, "no NVIDIA GPU", None),
        (NONE, SOUND, NOT_APPLICABLE, "no NVIDIA GPU", None),
        (NONE, GPU, MISSING, "libcuda.so.1", "install NVIDIA's driver"),
        (NONE, JETSON, MISSING, "libcuda.so.1", "--runtime nvidia"),
        ("it did not answer in 5 s", {}, WRONG, "did not answer", "restart"),
    ],
)  # fmt: skip
def test_cuda_driver(around: Around, answer: Any, files: Any, status: Status, value: str, fix: str) -> None:
    expect(cuda.driver(around({"cuda_driver": answer}, files)), status, value, fix)


def test_rows_that_want_the_same_answer_ask_once(around: Around) -> None:
    asked: list[str] = []

    def answer() -> Answers:
        asked.append("cuda_driver")
        return DRIVER

    place = around({"cuda_driver": answer})
    expect(cuda.driver(place), OK)
    expect(cuda.devices(place), OK)
    assert asked == ["cuda_driver"]


@pytest.mark.parametrize(
    ("answer", "files", "visible", "status", "value", "fix"),
    [
        (DRIVER, {}, {}, OK, "0: NVIDIA GeForce RTX 4090, compute capability 8.9, 24.0 GiB", None),
        (DRIVER | {"devices": [OLD, RTX]}, {}, {}, OK, "1: NVIDIA GeForce", None),
        (DRIVER | {"devices": [OLD]}, {}, {}, WRONG, "below 8.0", "8.0 or later"),
        (
            DRIVER | {"devices": []},
            {},
            {"CUDA_VISIBLE_DEVICES": ""},
            MISSING,
            "no device",
            "CUDA_VISIBLE_DEVICES is ''",
        ),
        (DRIVER | {"devices": [], "error": "CUDA_ERROR_UNKNOWN"}, {}, {}, WRONG, "CUDA_ERROR_UNKNOWN", "nvidia-smi"),
        (NONE, {}, {}, NOT_APPLICABLE, "no NVIDIA GPU", None),
        (NONE, GPU, {}, NOT_APPLICABLE, "no CUDA driver to ask", None),
        ("it crashed (SIGSEGV)", {}, {}, NOT_APPLICABLE, "no CUDA driver to ask", None),
    ],
)
def test_cuda_devices(
    around: Around, answer: Any, files: Any, visible: dict[str, str], status: Status, value: str, fix: str
) -> None:
    expect(cuda.devices(around({"cuda_driver": answer}, files, **visible)), status, value, fix)


def absent(kind: str, *candidates: str) -> Answers:
    return {"errors": {one: f"{one}: cannot open shared object file: No such file or directory" for one in candidates}}


def unloadable(kind: str, *candidates: str) -> Answers:
    return {"errors": dict.fromkeys(candidates, "libneeded.so.7: cannot open shared object file: No such file")}


def present(version: str | None) -> Callable[..., Answers]:
    return lambda kind, *candidates: {"path": f"/lib/{candidates[0]}", "version": version, "errors": {}}


@pytest.mark.parametrize(
    ("library", "files", "status", "value"),
    [
        (present("12.6"), {}, OK, "12.6 (/lib/libcudart.so.13)"),
        (absent, {}, NOT_APPLICABLE, "no NVIDIA GPU"),
        (absent, GPU, MISSING, "no libcudart.so"),
        (unloadable, {}, WRONG, "libneeded.so.7"),
        ("it did not answer in 5 s", {}, WRONG, "did not answer"),
    ],
)
def test_cuda_runtime(around: Around, library: Any, files: Any, status: Status, value: str) -> None:
    expect(cuda.runtime(around({"shared_library": library}, files)), status, value, "install")


@pytest.mark.parametrize(
    ("script", "status", "value"),
    [
        (None, MISSING, "not found"),
        ("echo Cuda compilation tools, release 13.0, V13.0.88", OK, "13.0 ("),
        ("echo Cuda compilation tools, release 11.8, V11.8.89", WRONG, "older than 12.6"),
        ("echo hello", WRONG, "does not say its version"),
        ("exit 3", WRONG, "failed with status 3"),
        ("exec sleep 60", WRONG, "did not answer in 0.5 s"),
    ],
)
def test_nvcc(around: Around, tmp_path: Path, script: str | None, status: Status, value: str) -> None:
    files = {} if script is None else {"usr/local/cuda/bin/nvcc": f"#!/bin/sh\n{script}\n"}
    place = around(files=files, PATH="/usr/bin:/bin", CUDA_HOME="/nowhere")
    for name in files:
        (place.root / name).chmod(0o755)
    finding = cuda.nvcc(Surroundings(place.root, place.environment, timeout_s=0.5))
    expect(finding, status, value, "vidrt[nvcc]")


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


@pytest.mark.parametrize(
    ("row", "name", "fix"),
    [
        (own_libraries.cuda, "libvidrt_cuda.so", "docs/devices.md"),
        (own_libraries.tensorrt, "libvidrt_tensorrt.so", "docs/engines.md"),
        (own_libraries.tensorrt_rtx, "libvidrt_tensorrt_rtx.so", "TENSORRT_RTX_ROOT"),
        (own_libraries.plugins, "libvidrt_trt_plugins.so", "docs/tensorrt_plugin.md"),
    ],
)
@pytest.mark.parametrize(
    ("library", "files", "status", "value"),
    [
        (present(""), {}, OK, ""),
        (absent, GPU, MISSING, "nor has the loader's path"),
        (absent, {}, NOT_APPLICABLE, "no NVIDIA GPU"),
        (unloadable, GPU, WRONG, "libneeded.so.7"),
    ],
)
def test_own_libraries(
    around: Around, row: Any, name: str, fix: str, library: Any, files: Any, status: Status, value: str
) -> None:
    expect(row(around({"shared_library": library}, files)), status, value or name, fix)


def test_own_libraries_are_looked_for_in_the_chosen_folder_alone(around: Around) -> None:
    place = around({"shared_library": absent}, GPU, VIDRT_LIBRARY_DIR="/chosen")
    found = own_libraries.tensorrt(place)
    assert found.value == "/chosen/libvidrt_tensorrt.so is not there"


FOUND = {"version": "1.32.0", "path": "/x/libonnxruntime.so.1.32.0", "providers": ["CPUExecutionProvider"]}
WITH_CUDA = FOUND | {"providers": ["CUDAExecutionProvider", "CPUExecutionProvider"]}


@pytest.mark.parametrize(
    ("answer", "folder", "environment", "status", "value", "fix"),
    [
        (FOUND, True, {}, OK, "1.32.0 (/x/libonnxruntime.so.1.32.0); providers CPUExecutionProvider", None),
        ({"error": "not found"}, False, {}, MISSING, "not found", "vidrt[cpu]"),
        ({"error": "too old"}, True, {}, WRONG, "too old", "install it again"),
        ("it did not answer in 5 s", True, {}, WRONG, "did not answer", "install it again"),
        ({"error": "no"}, True, {"VIDRT_ONNXRUNTIME": "/none"}, WRONG, "no", "VIDRT_ONNXRUNTIME"),
    ],
)
def test_onnxruntime(
    around: Around,
    monkeypatch: pytest.MonkeyPatch,
    answer: Any,
    folder: bool,
    environment: dict[str, str],
    status: Status,
    value: str,
    fix: str,
) -> None:
    monkeypatch.setattr(onnxruntime, "onnxruntime_folder", lambda: Path("/x") if folder else None)
    expect(onnxruntime.library(around({"onnxruntime_library": answer}, **environment)), status, value, fix)


@pytest.mark.parametrize(
    ("answer", "packages", "files", "status", "value", "fix"),
    [
        (WITH_CUDA, ("onnxruntime-gpu",), GPU, OK, "CUDAExecutionProvider", None),
        (FOUND, ("onnxruntime",), GPU, MISSING, "no CUDAExecutionProvider", "vidrt[cuda]"),
        (FOUND, ("onnxruntime",), JETSON, MISSING, "no CUDAExecutionProvider", "JetPack"),
        (FOUND, ("onnxruntime",), {}, NOT_APPLICABLE, "no NVIDIA GPU", None),
        (WITH_CUDA, ("onnxruntime", "onnxruntime-gpu"), GPU, WRONG, "overwrite each other", "pip uninstall"),
    ],
)
def test_onnxruntime_cuda(
    around: Around,
    monkeypatch: pytest.MonkeyPatch,
    answer: Any,
    packages: tuple[str, ...],
    files: Any,
    status: Status,
    value: str,
    fix: str,
) -> None:
    monkeypatch.setattr(onnxruntime, "package_version", lambda name: "1.32.0" if name in packages else None)
    expect(onnxruntime.cuda_provider(around({"onnxruntime_library": answer}, files)), status, value, fix)


@pytest.mark.parametrize(
    ("files", "status", "value"),
    [
        (JETSON, OK, "L4T) 36.4.3"),
        ({"etc/nv_tegra_release": "something else\n"}, OK, "unknown"),
        ({}, NOT_APPLICABLE, "not a Jetson"),
    ],
)
def test_jetson(around: Around, files: Any, status: Status, value: str) -> None:
    expect(machine.jetson(around(files=files)), status, value)


MEMINFO = {"proc/meminfo": "MemTotal:  8388608 kB\nMemFree: 1 kB\nMemAvailable:  4194304 kB\n"}


@pytest.mark.parametrize(
    ("files", "status", "value"),
    [
        (MEMINFO, OK, "8.0 GiB, 4.0 GiB available"),
        (MEMINFO | {"sys/fs/cgroup/memory.max": "2147483648\n"}, OK, "this container may have 2.0 GiB"),
        (MEMINFO | {"sys/fs/cgroup/memory.max": "max\n"}, OK, "4.0 GiB available"),
        ({}, WRONG, "does not say"),
        ({"proc/meminfo": "MemTotal:\nnonsense"}, WRONG, "does not say"),
    ],
)
def test_memory(around: Around, files: Any, status: Status, value: str) -> None:
    expect(machine.memory(around(files=files)), status, value, "--memory-budget")


@pytest.mark.parametrize(
    ("modules", "answer", "status", "value"),
    [
        (("av",), {"version": "18", "formats": {".mp4": True, ".webm": True}}, OK, ".mp4, .webm, .gif"),
        (("av",), {"version": "18", "formats": {".mp4": False, ".webm": True}}, WRONG, "no encoder for .mp4"),
        (("av",), "it failed with status 1: ImportError", WRONG, "ImportError"),
        ((), {}, MISSING, ".gif, .y4m, PNG files only"),
    ],
)
def test_video_formats(around: Around, modules: tuple[str, ...], answer: Any, status: Status, value: str) -> None:
    expect(
        installation.video_formats(around({"video_encoders": answer}, modules=modules)), status, value, "vidrt[video]"
    )


def test_export_names_what_is_not_installed(around: Around) -> None:
    expect(installation.export(around(modules=("torch", "onnx"))), MISSING, "diffusers", "vidrt[export]")


def test_custom_ops_library(around: Around, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    expect(installation.custom_ops(around()), OK, "libvidrt_ort_ops.so")
    monkeypatch.setattr("vidrt._core.__file__", str(tmp_path / "_core.so"))
    expect(installation.custom_ops(around()), MISSING, str(tmp_path), "make build")


def test_bundle_without_a_name(around: Around, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VIDRT_BUNDLE", raising=False)
    expect(installation.bundle(around()), OK, "pocket (")
    monkeypatch.setattr("vidrt.engine.bundle.__file__", "/nowhere/a/bundle.py")
    expect(installation.bundle(around()), MISSING, "", "VIDRT_BUNDLE")


def test_cache(around: Around, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VIDRT_CACHE_DIR", str(tmp_path / "new" / "cache"))
    expect(installation.cache(around()), OK, "not made yet")
    (tmp_path / "new").write_text("a file")
    expect(installation.cache(around()), WRONG, "is not a folder", "VIDRT_CACHE_DIR")
    monkeypatch.setenv("VIDRT_CACHE_DIR", str(tmp_path))
    expect(installation.cache(around()), OK, str(tmp_path))
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    expect(installation.cache(around()), WRONG, "cannot be written to", "VIDRT_CACHE_DIR")


def test_engine_cache(around: Around, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VIDRT_CACHE_DIR", str(tmp_path))
    expect(installation.engines(around()), OK, "0 engines, 0 B")
    (tmp_path / "engines").mkdir()
    (tmp_path / "engines" / "m.fp32.tensorrt-rtx.0123456789abcdef.json").write_text("{")
    (tmp_path / "engines" / "m.fp32.tensorrt-rtx.0123456789abcdef.01234567.plan").write_bytes(bytes(1023))
    finding = installation.engines(around())
    expect(finding, WRONG, "0 engines, 1.0 KiB", "vidrt engines prune")
    assert finding.details["broken"] == 1
