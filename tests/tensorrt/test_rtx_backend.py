"""The backend tensorrt-rtx, with the wheel's library and without a GPU."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from vidrt.engine.builder.targets import local_compute_capability
from vidrt.engine.tensorrt_location import tensorrt_folder

ROOT = Path(__file__).resolve().parents[2]
OPEN = """
import sys, vidrt
try:
    vidrt.TextToVideoPipeline(sys.argv[1], backend="tensorrt-rtx")
except vidrt.BackendError as error:
    print(error)
"""

Run = Callable[..., CompletedProcess[str]]


@pytest.fixture
def said(run_python: Run, pocket_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """What opening the backend says, with the library that the build made and these variables."""
    if local_compute_capability() is not None:
        pytest.skip("this machine has a GPU")
    built = ROOT / os.environ.get("BUILD", "build") / "dev" / "csrc"
    folder = Path(os.environ.get("VIDRT_LIBRARY_DIR", built))
    if not (folder / "libvidrt_tensorrt_rtx.so").is_file():
        pytest.skip(f"there is no libvidrt_tensorrt_rtx.so in {folder}: it is built with TENSORRT_RTX_ROOT")

    def run(**variables: str) -> str:
        for name, value in {"VIDRT_LIBRARY_DIR": str(folder), **variables}.items():
            monkeypatch.setenv(name, value)
        done = run_python(OPEN, str(pocket_bundle))
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_the_wheels_library_is_taken_and_then_a_gpu_is_missing(said: Callable[..., str]) -> None:
    if tensorrt_folder("tensorrt-rtx") is None:
        pytest.skip("the wheel tensorrt-rtx-cu13-libs is not installed")
    message = said()
    assert "libvidrt_cuda.so" in message or "driver" in message
    assert "libtensorrt_rtx" not in message


def test_another_file_is_no_tensorrt_for_rtx(said: Callable[..., str]) -> None:
    message = said(VIDRT_TENSORRT_RTX="libm.so.6")
    assert "TensorRT for RTX 1 (libtensorrt_rtx.so) was not found" in message
    assert "VIDRT_TENSORRT_RTX" in message
    assert "libm.so.6 (VIDRT_TENSORRT_RTX): is not TensorRT for RTX" in message
    assert "vidrt[tensorrt-rtx]" in message
