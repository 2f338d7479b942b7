"""What all Python tests share: the shipped bundle, one opened pipeline, and settings small enough to be quick."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
POCKET = ROOT / "models" / "pocket"


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


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep what vidrt remembers between runs (checked weight files) out of the user's cache folder."""
    os.environ["VIDRT_CACHE_DIR"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def pocket_bundle() -> Path:
    """The reference bundle in the repository."""
    assert (POCKET / "manifest.json").is_file(), f"the shipped bundle is missing from {POCKET}"
    return POCKET


@pytest.fixture(scope="session")
def built() -> Path:
    """The build folder of `make build`."""
    folder = ROOT / "build" / "dev"
    if not (folder / "CMakeCache.txt").is_file():
        pytest.skip("there is no build/dev; `make build` makes it")
    return folder


@pytest.fixture(scope="session")
def run_example(built: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run an example program, in "c" or "cpp", with the environment's ONNX Runtime."""
    # A program in C cannot ask the interpreter where it is.
    found = subprocess.run(
        [sys.executable, ROOT / "tools" / "onnxruntime_library.py"], check=True, capture_output=True, text=True
    )
    variables = {**os.environ, "VIDRT_ONNXRUNTIME": found.stdout.strip()}

    def run(language: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        program = built / "examples" / language / f"example_{language}_generate"
        command = [str(program), *map(str, arguments)]
        return subprocess.run(command, env=variables, capture_output=True, text=True, timeout=120, check=False)

    return run


@pytest.fixture
def bundle_copy(pocket_bundle: Path, tmp_path: Path) -> Path:
    """A copy of the bundle to damage."""
    return Path(shutil.copytree(pocket_bundle, tmp_path / "bundle"))


@pytest.fixture(scope="session")
def pipe(pocket_bundle: Path) -> Any:
    """One pipeline for all tests of a process: that it stays usable is part of what they check."""
    import vidrt

    return vidrt.TextToVideoPipeline(pocket_bundle, threads=1)


@pytest.fixture
def tiny() -> dict[str, Any]:
    """Settings of the quickest clip with every stage in it: two decoded chunks, two steps, guidance on."""
    return {
        "height": 32,
        "width": 32,
        "num_frames": 9,
        "num_inference_steps": 2,
        "guidance_scale": 3.0,
        "seed": 7,
        "decode_chunk": 1,
    }


@pytest.fixture
def unwarned() -> dict[str, Any]:
    """Take warnings where a test is not about them: tiny clips lie outside the range of measured quality."""
    return {"on_warning": lambda message: None}


@pytest.fixture
def run_python(pocket_bundle: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run code in a fresh interpreter."""

    def run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=120, check=False
        )

    return run


@pytest.fixture
def run_vidrt(
    pocket_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the command `vidrt` in an empty folder, inside this process: starting Python takes longer than most tests."""
    from typer.testing import CliRunner

    from vidrt.engine.cli import app

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        monkeypatch.chdir(tmp_path)
        variables = {"VIDRT_BUNDLE": str(pocket_bundle), "COLUMNS": "200", **environment}
        result = CliRunner().invoke(app, arguments, env=variables, prog_name="vidrt")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return subprocess.CompletedProcess(arguments, result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture
def run_vidrt_process(pocket_bundle: Path, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """The same in a process of its own, as a shell would run it."""

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "vidrt.engine.cli", *arguments],
            cwd=tmp_path,
            env={**os.environ, "VIDRT_BUNDLE": str(pocket_bundle), "COLUMNS": "200", **environment},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def tensorrt_libraries() -> Path:
    """The folder with TensorRT's libraries and bindings."""
    if not (LIBRARIES / "lib" / "libnvinfer.so.10").is_file() or not (LIBRARIES / "python").is_dir():
        pytest.skip(f"TensorRT's libraries are not in {LIBRARIES}; `make tensorrt-libs` fetches them (x86-64 Linux)")
    return LIBRARIES


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
