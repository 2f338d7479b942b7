"""TensorRT's libraries, the plugin library, and a process in which they meet."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PROBE = Path(__file__).resolve().parent / "probe.py"


def _libraries_folder() -> Path:
    spec = importlib.util.spec_from_file_location("tensorrt_libs", ROOT / "tools" / "tensorrt_libs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    folder = module.cache_folder()
    assert isinstance(folder, Path)
    return folder


# Asked while tests are collected: during the run vidrt's cache folder is one of the tests' own.
LIBRARIES = _libraries_folder()


@pytest.fixture(scope="session")
def tensorrt_libraries() -> Path:
    """The folder with TensorRT's libraries and bindings."""
    if not (LIBRARIES / "lib" / "libnvinfer.so.10").is_file() or not (LIBRARIES / "python").is_dir():
        pytest.skip(f"TensorRT's libraries are not in {LIBRARIES}; `make tensorrt-libs` fetches them (x86-64 Linux)")
    return LIBRARIES


@pytest.fixture(scope="session")
def plugin_library() -> Path:
    """The plugin library that the build made."""
    built = ROOT / os.environ.get("BUILD", "build") / "dev" / "csrc" / "tensorrt" / "libvidrt_trt_plugins.so"
    path = Path(os.environ.get("VIDRT_TRT_PLUGINS", built))
    if not path.is_file():
        pytest.skip(f"there is no {path}: it is built where TensorRT's headers are found (docs/tensorrt_plugin.md)")
    return path


@pytest.fixture(scope="session")
def in_tensorrt(tensorrt_libraries: Path) -> Callable[..., dict[str, Any]]:
    """Run a script that asks TensorRT, in a process of its own: the request on stdin, the answer its last line."""

    def run(script: Path, request: Any, *arguments: str | Path) -> dict[str, Any]:
        done = subprocess.run(
            [sys.executable, script, tensorrt_libraries, *arguments],
            input=json.dumps(request),
            # Undocumented: without a driver a Builder can be made only so.
            env={**os.environ, "TRT_INTERNAL_OPTIONS": "--cpu_only=1"},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return result

    return run


@pytest.fixture(scope="session")
def probe(in_tensorrt: Callable[..., dict[str, Any]], plugin_library: Path) -> Callable[..., dict[str, Any]]:
    """Ask TensorRT to create plugins and parse models."""

    def run(create: list[dict[str, Any]] | None = None, models: list[str] | None = None) -> dict[str, Any]:
        return in_tensorrt(PROBE, {"library": str(plugin_library), "create": create or [], "models": models or []})

    return run
