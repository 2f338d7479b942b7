"""A made-up machine for `vidrt doctor`: answers of probes, files below its root, and Python modules."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vidrt.engine.doctor import Finding, Status, Surroundings, cuda, installation, tensorrt
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


def absent(kind: str, *candidates: str) -> Answers:
    return {"errors": {one: f"{one}: cannot open shared object file: No such file or directory" for one in candidates}}


def unloadable(kind: str, *candidates: str) -> Answers:
    return {"errors": dict.fromkeys(candidates, "libneeded.so.7: cannot open shared object file: No such file")}


def present(version: str | None) -> Callable[..., Answers]:
    return lambda kind, *candidates: {"path": f"/lib/{candidates[0]}", "version": version, "errors": {}}
