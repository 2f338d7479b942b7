"""The rows of `vidrt doctor` on the driver, CUDA and Jetson, in each state of a made-up machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from doctor_machine import (
    DRIVER,
    GPU,
    JETSON,
    MISSING,
    NONE,
    NOT_APPLICABLE,
    OK,
    OLD,
    RTX,
    SOUND,
    WRONG,
    Answers,
    Around,
    absent,
    expect,
    present,
    unloadable,
)

from vidrt.engine.doctor import Status, Surroundings, cuda, machine


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
    ("files", "status", "value"),
    [
        (JETSON, OK, "L4T) 36.4.3"),
        ({"etc/nv_tegra_release": "something else\n"}, OK, "unknown"),
        ({}, NOT_APPLICABLE, "not a Jetson"),
    ],
)
def test_jetson(around: Around, files: Any, status: Status, value: str) -> None:
    expect(machine.jetson(around(files=files)), status, value)
