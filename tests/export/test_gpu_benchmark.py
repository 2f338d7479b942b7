"""The GPU benchmark where it cannot run: what it says without a GPU, and its report from figures that were made up."""

from __future__ import annotations

import dataclasses
import itertools
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from vidrt.engine.builder.flavour import load_flavour
from vidrt.engine.errors import BackendError

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import gpu_tensorrt  # noqa: E402
from gpu_case import TOLERANCES, TYPES, Case, Tensors, convolve, relative_error  # noqa: E402
from gpu_depthwise import table  # noqa: E402

FORMS = ["plain", "causal", "separable"]


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


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("type_", TYPES)
def test_the_tolerance_takes_rounding_and_not_a_tap_too_few(form: str, type_: str) -> None:
    case = Case(form, (3, 3, 3), (16, 3, 8, 8), type_)
    tensors = Tensors.random(case, "NTHWC", "cpu")
    assert relative_error(case, convolve(case, tensors), tensors) < TOLERANCES[type_]
    weight = tensors.weight.clone()
    weight[:, :, 2, 2, 2] = 0
    without = dataclasses.replace(tensors, weight=weight)
    assert relative_error(case, convolve(case, without), tensors) > 2 * TOLERANCES[type_]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("type_", "layout"),
    [pair for pair in itertools.product(TYPES, ("NCTHW", "NTHWC")) if pair != ("float32", "NTHWC")],
)
def test_an_engine_of_the_stock_layers_can_be_built(form: str, type_: str, layout: str) -> None:
    try:
        trt = load_flavour("tensorrt-rtx").api
    except BackendError as error:
        pytest.skip(str(error))
    case = Case(form, (3, 3, 3), (16, 3, 8, 8), type_)
    builder = trt.Builder(trt.Logger(trt.Logger.ERROR))
    assert gpu_tensorrt.build(trt, builder, case, layout, Tensors.random(case, layout, "cpu")) is not None


def test_the_report_has_medians_and_says_who_did_not_take_part() -> None:
    row = {"form": "causal", "type": "float16", "kernel": [3, 3, 3], "shape": [2, 3, 7, 8]}
    row |= {"times": {"vidrt NCTHW": [1.0, 2.0, 9.0], "copy": [0.5] * 3}, "absent": {"tensorrt NCTHW": "not installed"}}
    text = table("causal", "float16", [row, row | {"type": "float32"}])
    assert "| 3x3x3 | 2x3x7x8 | 2.000 | 0.500 |" in text
    assert text.count("2x3x7x8") == 1
    assert "- tensorrt NCTHW did not take part: not installed\n" in text


def test_the_report_says_in_which_rows_a_contender_did_not_take_part() -> None:
    row = {"form": "separable", "type": "bfloat16", "kernel": [3, 3, 3], "shape": [2, 3, 7, 8], "absent": {}}
    without = row | {"kernel": [5, 5, 5], "times": {"copy": [0.5]}, "absent": {"cudnn NTHWC": "no algorithm"}}
    text = table("separable", "bfloat16", [row | {"times": {"cudnn NTHWC": [1.0], "copy": [0.5]}}, without])
    assert "| 3x3x3 | 2x3x7x8 | 1.000 | 0.500 |" in text
    assert "| 5x5x5 | 2x3x7x8 |  | 0.500 |" in text
    assert "- cudnn NTHWC did not take part: no algorithm (5x5x5 over 2x3x7x8)" in text
