"""What the packaging tests share: the build, an install prefix made from it, and a wheel."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "dev"


Run = Callable[..., str]


def run_command(command: Sequence[str | Path], cwd: Path | None = None, **variables: str) -> str:
    """Run a command away from the sources and return what it printed; fail the test with that when it fails."""
    clean = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIDRT_ONNXRUNTIME")}
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, env=clean | variables, text=True, capture_output=True, timeout=600
    )
    if done.returncode != 0:
        pytest.fail(f"{' '.join(map(str, command))} failed ({done.returncode}):\n{done.stdout}\n{done.stderr}")
    return done.stdout


@pytest.fixture(scope="session")
def run() -> Run:
    """Runs a command as `run_command` does; tests cannot import from a conftest."""
    return run_command


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's folder."""
    return ROOT


@pytest.fixture(scope="session")
def prefix(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An install prefix that was moved after it was made: nothing in it may hold its first place."""
    first = tmp_path_factory.mktemp("install") / "first"
    for component in ("runtime", "devel"):
        run_command(["cmake", "--install", built, "--prefix", first, "--component", component])
    return first.rename(first.with_name("moved"))


@pytest.fixture(scope="session")
def wheel(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of the working tree, built with the objects that build/dev has already."""
    folder = tmp_path_factory.mktemp("wheel")
    settings = [f"build-dir={built}", "build.targets=_core"]
    settings += ["cmake.define.VIDRT_BUILD_TESTS=ON", "cmake.define.VIDRT_BUILD_EXAMPLES=ON"]
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
    command += [word for setting in settings for word in ("--config-settings", setting)]
    run_command([*command, "--wheel-dir", folder, ROOT], CMAKE_GENERATOR=generator(built))
    (made,) = folder.glob("*.whl")
    return made


def generator(build: Path) -> str:
    """The CMake generator that `build` was made with."""
    cache = (build / "CMakeCache.txt").read_text(encoding="utf-8")
    return next(line.partition("=")[2] for line in cache.splitlines() if line.startswith("CMAKE_GENERATOR:"))
