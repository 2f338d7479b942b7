"""The other rows of `vidrt doctor`, in each state of a made-up machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from doctor_machine import (
    GPU,
    JETSON,
    MISSING,
    NOT_APPLICABLE,
    OK,
    WRONG,
    Around,
    absent,
    expect,
    present,
    unloadable,
)

from vidrt.engine.doctor import Status, installation, machine, onnxruntime, own_libraries


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
