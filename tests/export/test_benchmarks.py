"""Benchmarks compare like with like: what their contenders compute is the same, and their counts are right."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

import vidrt
from vidrt.engine.predict import known_devices
from vidrt.export.models import unet3d, wan
from vidrt.export.options import check_scheduler
from vidrt.export.registry import ModelSource

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import predictions  # noqa: E402
import turbo_vaed_operators  # noqa: E402
import unet3d_folder  # noqa: E402
import wan_folder  # noqa: E402
from depthwise import KERNELS  # noqa: E402
from depthwise_graphs import FORMS, graphs  # noqa: E402
from depthwise_report import Row, report  # noqa: E402
from predicted_wan import Part  # noqa: E402

CHANNELS = 6


@pytest.mark.parametrize("kernel", [(3, 3, 3), (5, 5, 5), (1, 3, 3), (3, 1, 1)])
@pytest.mark.parametrize("form", FORMS)
def test_contenders_compute_the_same(form: str, kernel: tuple[int, int, int]) -> None:
    x = np.random.default_rng(1).standard_normal((1, CHANNELS, 4, 9, 11), np.float32)
    options = onnxruntime.SessionOptions()
    options.register_custom_ops_library(str(vidrt.custom_ops_library()))
    results = {
        name: onnxruntime.InferenceSession(model, options).run(None, {"x": x})[0]
        for name, model in graphs(form, kernel, CHANNELS).items()
    }
    assert next(iter(results)) == "vidrt"
    assert len(results) > 1
    for result in results.values():
        np.testing.assert_allclose(result, results["vidrt"], atol=1e-5)


@pytest.mark.parametrize(("form", "frames"), [("plain", 3 + 2 * 2), ("causal", 3 + 2 + 1)])
def test_products_outside_the_clip_are_not_counted(form: str, frames: int) -> None:
    row = Row(form, (3, 5, 5), (2, 3, 7, 8), {"vidrt": [1.0], "matmul": [2.0]})
    assert row.products() == 2 * 7 * 8 * frames * 25


def test_the_report_has_a_table_for_each_form_with_the_goals_and_medians_of_ratios() -> None:
    times = {"vidrt": [1.0, 2.0, 4.0], "onnxruntime": [3.0, 8.0, 20.0], "copy": [1.0] * 3, "matmul": [1.0] * 3}
    rows = [
        {"form": form, "kernel": list(kernels[0]), "shape": [2, 3, 7, 8], "times": times}
        for form, kernels in KERNELS.items()
    ]
    record = {"machine": {"processor": "a processor"}, "remark": "a remark", "rows": {"avx2": rows}}
    text = report(json.loads(json.dumps(record)), threads=2, rounds=3)
    assert [line for line in text.splitlines() if line.startswith("## ")] == [
        f"## avx2, {FORMS[form]}" for form in FORMS
    ]
    assert "| 3x3x3 | 2x3x7x8 | 2.00 |" in text
    assert "**4.00** (goal 8)" in text
    assert "**4.00** (goal 10)" in text
    assert "**a remark**" in text


def event(operator: str, *shapes: list[int]) -> dict[str, Any]:
    return {"args": {"op_name": operator, "input_type_shape": [{"float": shape} for shape in shapes]}}


def test_convolutions_of_turbo_vaed_are_told_apart_by_what_they_sum_over() -> None:
    x = [1, 64, 9, 8, 8]
    assert turbo_vaed_operators.kind(event("Conv", x, [64, 1, 5, 5, 5])) == "Conv, one filter a channel (125 taps)"
    assert turbo_vaed_operators.kind(event("Conv", x, [32, 64, 1, 1, 1], [32])) == "Conv, all channels, 1x1x1"
    assert turbo_vaed_operators.kind(event("FusedConv", x, [32, 64, 1, 3, 3])) == "Conv, all channels, 3x3x3 or 1x3x3"
    assert turbo_vaed_operators.kind(event("Pow", x, [])).startswith("norms")
    assert turbo_vaed_operators.kind(event("Transpose", x)) == "Transpose"


def test_shares_of_both_variants_stand_beside_each_other_and_sum_to_all() -> None:
    shares = {"a": Counter({"Conv": 98.99, "Pad": 1.0, "Cast": 0.01}), "b": Counter({"Conv": 50.0, "Slice": 50.0})}
    assert turbo_vaed_operators.table(shares).splitlines()[2:] == [
        "| Conv | 98.99% | 50.00% |",
        "| Slice | 0.00% | 50.00% |",
        "| Pad | 1.00% | 0.00% |",
        "| others | 0.01% | 0.00% |",
    ]


@pytest.mark.parametrize("name", wan_folder.SIZES)
def test_a_wan_folder_of_random_weights_is_one_that_exports(name: str, tmp_path: Path) -> None:
    wan_folder.write_folder(name, tmp_path / "wan", dtype=torch.bfloat16, full=())
    spec = wan.load(ModelSource(tmp_path / "wan"))
    assert spec.vae.latent_channels == wan_folder.SIZES[name].full["vae"]["z_dim"]
    with pytest.raises(FileExistsError):
        wan_folder.write_folder(name, tmp_path / "wan", dtype=torch.bfloat16, full=())


def test_a_denoisers_time_grows_alike_with_each_layer() -> None:
    two, four = Part(3.0, 10.0, 200), Part(5.0, 18.0, 300)
    assert two.further(four, (30 - 2) / (4 - 2)) == Part(3 + 14 * 2.0, 10 + 14 * 8.0, 200 + 14 * 100)


def test_a_published_measurement_stands_beside_its_prediction() -> None:
    device = known_devices()["rtx-5090"]
    measured = predictions.Published("wan2.1-t2v-1.3b", "rtx-5090", ("denoiser", "decoder"), 100.0, "about", "a paper")
    parts = {"denoiser": Part(30.0, 80.0, 20.95e14), "decoder": Part(5.0, 10.0, 20.95e14)}
    row = predictions.published_row(measured, parts, device)
    assert "| about 100 s | 35-90 s | 11% slower than the worst | 20% |" in row
    assert "81 frames of 832x480, 50 steps; a paper" in row
    assert [predictions.placed(seconds, 35.0, 90.0) for seconds in (28.0, 35.0, 90.0)] == [
        "25% faster than the best",
        "inside",
        "inside",
    ]


def test_a_unet3d_folder_of_random_weights_is_one_that_exports(tmp_path: Path) -> None:
    unet3d_folder.write_folder(tmp_path / "modelscope", dtype=torch.float16, full=())
    spec = unet3d.load(ModelSource(tmp_path / "modelscope"))
    assert (spec.vae.spatial_ratio, spec.defaults.height) == (8, 256)
    check_scheduler(spec)
    with pytest.raises(FileExistsError):
        unet3d_folder.write_folder(tmp_path / "modelscope", dtype=torch.float16, full=())
