"""Looking at everything: the facts, and all rows beside each other."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from vidrt import _core
from vidrt.engine.doctor.privacy import without_home
from vidrt.engine.doctor.report import Check, Finding, Report, Row, wrong
from vidrt.engine.doctor.rows import ROWS
from vidrt.engine.doctor.surroundings import Surroundings, package_version

_PACKAGES = (
    *("numpy", "pillow", "av", "onnxruntime", "onnxruntime-gpu", "onnx", "torch", "diffusers", "transformers"),
    *("tensorrt", "tensorrt-cu12-bindings", "tensorrt-cu13-bindings", "tensorrt-rtx-cu13-bindings"),
    *("tensorrt-rtx-cu13-libs", "nvidia-cuda-runtime", "nvidia-cuda-runtime-cu12", "nvidia-cuda-nvcc"),
)
_VARIABLES = (
    *("VIDRT_BUNDLE", "VIDRT_CACHE_DIR", "VIDRT_DEBUG", "VIDRT_ISA", "VIDRT_LIBRARY_DIR", "VIDRT_ONNXRUNTIME"),
    *("VIDRT_TENSORRT", "VIDRT_TENSORRT_LOG", "VIDRT_TENSORRT_PLUGINS", "VIDRT_TENSORRT_RTX"),
    *("CUDA_HOME", "CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH", "OMP_NUM_THREADS", "XDG_CACHE_HOME"),
)
"""All of the environment that a report shows, where set."""


def diagnose(around: Surroundings | None = None, rows: Sequence[Row] = ROWS) -> Report:
    """Look around. Raises nothing: what fails is a row that says so.

    Args:
        around: The machine; None is this one.
        rows: What to look at.
    """
    around = around or Surroundings()
    shorten = without_home()

    def look(row: Row) -> Check:
        try:
            found = row.look(around)
        except Exception as error:  # a report with one bad row is worth more than none
            found = wrong(f"looking failed: {type(error).__name__}: {error}", "report this as a bug in vidrt.")
        value = " ".join(found.value.split())  # a row is a line, and errors of libraries have many
        return Check(row, Finding(found.status, *(shorten(part) for part in (value, found.fix, found.details))))

    # In threads: they wait for processes, and the slowest answers last.
    with ThreadPoolExecutor(len(rows)) as pool:
        checks = tuple(pool.map(look, rows))
    return Report(shorten(_facts(around)), checks)


def _facts(around: Surroundings) -> dict[str, dict[str, Any]]:
    release = dict(line.split("=", 1) for line in (around.read("etc/os-release") or "").splitlines() if "=" in line)
    return {
        "vidrt": {
            "version": _core.__version__,
            "compiler": _core.compiler(),
            "assertions": _core.assertions,
        },
        "python": {"version": platform.python_version(), "implementation": platform.python_implementation()},
        "system": {
            "name": release.get("PRETTY_NAME", platform.system()).strip('"'),
            "kernel": platform.release(),
            "machine": around.machine,
            "cores": os.cpu_count(),
        },
        "packages": {name: package_version(name) for name in _PACKAGES},
        "environment": {name: around.environment[name] for name in _VARIABLES if name in around.environment},
    }
