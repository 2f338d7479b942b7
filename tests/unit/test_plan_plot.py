"""The plan as a picture: what it shows, and what is said where it cannot be drawn."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import vidrt
from vidrt.engine import plan_plot

pytest.importorskip("matplotlib", reason="plots need the extra `plots`")


def _plan(pocket: Path, **options: Any) -> vidrt.GenerationPlan:
    return vidrt.TextToVideoPipeline(pocket, **options).plan(vidrt.GenerateOptions(num_frames=17, height=64, width=96))


@pytest.mark.parametrize("budget", [None, "stage by stage"])
def test_the_plan_is_drawn_as_its_numbers_say(
    budget: str | None, pocket_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = _plan(pocket_bundle)
    if budget is not None:
        plan = _plan(pocket_bundle, memory_budget=plan.total_bytes * 9 // 10)
        assert plan.residency == "stage_by_stage"
    figures = []
    monkeypatch.setattr(plan_plot, "save_figure", lambda figure, path: figures.append(figure))
    plan_plot.draw_plan(plan, tmp_path / "plan.png")
    tensors, stages = figures[0].axes
    bars = [(bar.get_y(), bar.get_height()) for bar in tensors.patches]
    assert bars == [(tensor.offset / 2**20, tensor.bytes / 2**20) for tensor in plan.tensors]
    assert [label.get_text() for label in tensors.get_xticklabels()] == [s.replace("_", " ") for s in plan.stages]
    for index, stage in enumerate(plan.stage_memory):
        parts = [bar.get_height() for bar in stages.patches if round(bar.get_x() + 0.4) == index]
        assert sum(parts) == pytest.approx(stage.total_bytes / 2**20)


def test_what_cannot_be_drawn_is_one_line(
    run_vidrt: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run_vidrt("plan", "--plot", "plan.png").returncode == 0
    with Image.open(tmp_path / "plan.png") as picture:
        assert picture.format == "PNG"
        assert picture.width > 1000
    done = run_vidrt("plan", "--plot", "absent/plan.png")
    assert (done.returncode, "cannot write absent/plan.png" in done.stderr) == (6, True), done.stderr
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    done = run_vidrt("plan", "--plot", "other.png")
    assert (done.returncode, "pip install 'vidrt[plots]'" in done.stderr) == (4, True), done.stderr
    assert not (tmp_path / "other.png").exists()
