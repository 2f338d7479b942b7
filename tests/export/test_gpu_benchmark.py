"""The GPU benchmark where it cannot run: what it says without a GPU, and its report from figures that were made up."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

from gpu_contenders import Case  # noqa: E402
from gpu_depthwise import table  # noqa: E402


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_without_a_gpu_it_says_so_and_measures_nothing(tmp_path: Path) -> None:
    command = [sys.executable, BENCHMARKS / "gpu_depthwise.py", "--library", tmp_path / "none.so"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 77
    assert done.stderr.startswith("gpu_depthwise: skipped, nothing was measured: ")
    assert "Traceback" not in done.stderr


def test_the_same_padding_is_given_to_all() -> None:
    shape = (4, 5, 6, 7)
    assert Case("plain", (3, 5, 1), shape, "float16").padding == ((1, 2, 0), (1, 2, 0))
    assert Case("causal", (3, 5, 1), shape, "float16").padding == ((2, 2, 0), (0, 2, 0))


def test_the_report_has_medians_and_says_who_did_not_take_part() -> None:
    row = {"form": "causal", "type": "float16", "kernel": [3, 3, 3], "shape": [2, 3, 7, 8]}
    row |= {"times": {"vidrt NCTHW": [1.0, 2.0, 9.0], "copy": [0.5] * 3}, "absent": {"tensorrt NCTHW": "not installed"}}
    text = table("causal", "float16", [row, row | {"type": "float32"}])
    assert "| 3x3x3 | 2x3x7x8 | 2.000 | 0.500 |" in text
    assert text.count("2x3x7x8") == 1
    assert "- tensorrt NCTHW did not take part: not installed" in text
