"""What figures hold for: the machine, the versions, the source's commit."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path

import vidrt
from vidrt import _core
from vidrt.engine.bench.results import Machine, Versions
from vidrt.engine.onnxruntime_location import announce_onnxruntime

_SOURCE = Path(__file__).resolve().parents[2]


def this_machine() -> Machine:
    """Look at the processor, the memory and the GPU, if there is one."""
    return Machine(
        processor=_field(Path("/proc/cpuinfo"), "model name") or platform.processor() or "unknown",
        architecture=platform.machine(),
        cores=os.cpu_count(),
        memory_mib=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**20,
        system=f"{platform.system()} {platform.release()}",
        gpu=_gpu(),
    )


def these_versions() -> Versions:
    """Ask what runs: vidrt, the ONNX Runtime that it loads, Python, and the commit where this is a checkout."""
    announce_onnxruntime()
    onnxruntime: str | None
    try:
        onnxruntime = _core.onnxruntime_facts()["version"]
    except vidrt.BackendError:
        onnxruntime = None
    installed = {}
    for name in ("torch", "diffusers", "openvino"):
        try:
            installed[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return Versions(
        vidrt=vidrt.__version__,
        onnxruntime=onnxruntime,
        python=platform.python_version(),
        commit=_commit(),
        packages=installed,
    )


def _field(path: Path, name: str) -> str | None:
    lines = path.read_text(errors="replace").splitlines() if path.is_file() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(name)), None)


def _gpu() -> str | None:
    return _said(["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"])


def _commit() -> str | None:
    # An installed copy may lie inside somebody else's repository, whose commit would say nothing of vidrt.
    if not (_SOURCE / "benchmarks").is_dir() or not (_SOURCE / ".git").exists():
        return None
    commit = _said(["git", "-C", str(_SOURCE), "rev-parse", "HEAD"])
    changed = _said(["git", "-C", str(_SOURCE), "status", "--porcelain", "--untracked-files=no"])
    return f"{commit}, changed" if commit and changed else commit


def _said(command: list[str]) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None
