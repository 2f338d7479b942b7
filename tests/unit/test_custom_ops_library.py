"""The library of the operators as the package has it. What it computes: tests/export/test_custom_ops_vs_pytorch.py."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

import vidrt
from vidrt import _core


def test_the_library_lies_beside_the_core_and_has_the_entry_that_onnxruntime_looks_for() -> None:
    library = vidrt.custom_ops_library()
    assert library.is_absolute()
    assert library.parent == Path(_core.__file__).parent
    assert ctypes.CDLL(str(library)).RegisterCustomOps is not None  # without ONNX Runtime in the process


def test_asking_for_it_loads_no_onnx_package(run_python: Callable[..., CompletedProcess[str]]) -> None:
    code = (
        "import sys, vidrt; vidrt.custom_ops_library(); "
        "print([name for name in ('onnx', 'onnxruntime', 'torch', 'numpy') if name in sys.modules])"
    )
    assert run_python(code).stdout.strip() == "[]"


def test_a_missing_file_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_core, "__file__", str(tmp_path / "_core.so"))
    with pytest.raises(vidrt.BackendError, match=r"libvidrt_ort_ops\.so is missing.*pip install .*make build"):
        vidrt.custom_ops_library()
