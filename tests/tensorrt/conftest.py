"""The plugin library, and TensorRT's libraries to put it into."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PROBE = Path(__file__).resolve().parent / "probe.py"


@pytest.fixture(scope="session")
def plugin_library() -> Path:
    """The plugin library that the build made."""
    built = ROOT / os.environ.get("BUILD", "build") / "dev" / "csrc" / "libvidrt_trt_plugins.so"
    path = Path(os.environ.get("VIDRT_TRT_PLUGINS", built))
    if not path.is_file():
        pytest.skip(f"there is no {path}: it is built where TensorRT's headers are found (docs/tensorrt_plugin.md)")
    return path


@pytest.fixture(scope="session")
def probe(in_tensorrt: Callable[..., dict[str, Any]], plugin_library: Path) -> Callable[..., dict[str, Any]]:
    """Ask TensorRT to create plugins and parse models."""

    def run(create: list[dict[str, Any]] | None = None, models: list[str] | None = None) -> dict[str, Any]:
        return in_tensorrt(PROBE, {"library": str(plugin_library), "create": create or [], "models": models or []})

    return run
