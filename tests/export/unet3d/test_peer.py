"""The peer of benchmarks/scenarios/unet3d-cpu.json computes what vidrt computes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from vidrt.engine.bench.checking import check_jobs
from vidrt.engine.bench.running import Job, run_jobs
from vidrt.engine.bench.scenario import Scenario, read_scenario

SCENARIOS = Path(__file__).resolve().parents[3] / "benchmarks" / "scenarios"
TOY = {"height": 16, "width": 24, "num_frames": 3, "threads": 1}


@pytest.mark.slow
def test_every_case_gives_the_same_frames(unet3d_toy: Any, tmp_path: Path) -> None:
    (tmp_path / "checkpoint").symlink_to(unet3d_toy.folder)
    (tmp_path / "bundle").symlink_to(unet3d_toy.bundle)
    published = read_scenario(SCENARIOS / "unet3d-cpu.json")
    cases = tuple(case.model_copy(update=TOY) for case in published.cases)
    scenario = Scenario(name="toy", repetitions=1, warmup=0, cases=cases)
    job = Job(scenario, tmp_path / "bundle")
    check_jobs([job], tmp_path / "results.json")
    (result,) = run_jobs([job], tmp_path / "results.json").scenarios
    assert (result.complete, result.failures) == (True, {})
    assert [case.label for case in result.cases] == [case.label for case in published.cases]
    _, *others = (case.psnr_db for case in result.cases)
    assert all(psnr == "identical" or float(psnr) > 50 for psnr in others), others
