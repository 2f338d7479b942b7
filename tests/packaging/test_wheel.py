"""The wheel carries only vidrt and works in a clean environment, away from the source."""

from __future__ import annotations

import importlib.util
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., str]


@pytest.fixture(scope="module")
def environment(run: Run, root: Path, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh virtual environment with the locked run-time packages and the wheel."""
    venv = tmp_path_factory.mktemp("clean") / "venv"
    run([sys.executable, root / "tools" / "setup_env.py", "--venv", venv, "--set", "demo"])
    run([venv / "bin" / "python", "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", wheel])
    return venv


def test_the_wheel_passes_its_check(root: Path, wheel: Path) -> None:
    spec = importlib.util.spec_from_file_location("check_wheel", root / "tools" / "check_wheel.py")
    assert spec is not None
    assert spec.loader is not None
    check_wheel = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(check_wheel)
    assert check_wheel.wheel_faults(wheel) == []


def test_the_wheel_has_every_file_of_the_packages(root: Path, wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    for source, package in (("python/vidrt", "vidrt"), ("engine", "vidrt/engine"), ("export", "vidrt/export")):
        files = [path for path in (root / source).rglob("*") if path.is_file() and path.parent.name != "__pycache__"]
        assert {f"{package}/{path.relative_to(root / source)}" for path in files} <= names


def test_auditwheel_has_nothing_to_bundle(run: Run, wheel: Path) -> None:
    shown = run([sys.executable, "-m", "auditwheel", "show", wheel])
    assert "manylinux" in shown
    assert "onnxruntime" not in shown


def test_the_installed_command_tells_its_version(run: Run, environment: Path, wheel: Path, tmp_path: Path) -> None:
    assert wheel.name.split("-")[1] in run([environment / "bin" / "vidrt", "--version"], cwd=tmp_path)


def test_the_installed_package_imports_from_the_environment(run: Run, environment: Path, tmp_path: Path) -> None:
    program = "import vidrt, vidrt._core; print(vidrt.__file__); print(vidrt.TextToVideoPipeline.__name__)"
    where, name = run([environment / "bin" / "python", "-c", program], cwd=tmp_path).split()
    assert Path(where).is_relative_to(environment)
    assert name == "TextToVideoPipeline"


def test_the_installed_command_lists_its_subcommands_without_torch(run: Run, environment: Path, tmp_path: Path) -> None:
    shown = run([environment / "bin" / "vidrt", "--help"], cwd=tmp_path)
    for command in ("generate", "inspect", "export", "doctor"):
        assert command in shown


def test_the_installed_package_has_the_library_of_operators(run: Run, environment: Path, tmp_path: Path) -> None:
    shown = run([environment / "bin" / "python", "-c", "import vidrt; print(vidrt.custom_ops_library())"], cwd=tmp_path)
    library = Path(shown.strip())
    assert library.is_file()
    assert library.is_relative_to(environment)
