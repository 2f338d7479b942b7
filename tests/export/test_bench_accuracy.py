"""`vidrt bench`'s prompt accuracy: the process that trains a probe and those that judge the clips of cases."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import torch

import vidrt
from vidrt.engine.bench.results import read_results
from vidrt.export.pocket.evaluation import bench_worker
from vidrt.export.pocket.evaluation.evaluate import Judged, ask, judge_generated
from vidrt.export.pocket.evaluation.probe import VALUES, ProbeOptions, train_probe

TINY = {"height": 32, "width": 32, "num_frames": 9, "threads": 1}
ASKED = {"prompts": 2, "seed": 4, "probe_steps": 2}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Cases say how many threads torch takes as well: leave it as it was."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def told(judged: list[Judged]) -> list[tuple[object, ...]]:
    return [(one.prompt, one.seed, one.asked, one.seen, one.confidence) for one in judged]


def test_a_case_is_judged_by_the_trained_probe_with_the_cases_own_settings(
    pocket_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    request: dict[str, Any] = {**ASKED, "probe": str(tmp_path / "probe.pt")}
    real = bench_worker.train(request)
    assert capsys.readouterr().out == "1\n2\n"
    assert [one.seed for one in real] == [-1, -1]
    settings = {"num_inference_steps": 2, "scheduler": "unipc", "step_cache": 0.05}
    options = {**TINY, **settings, "keep_frames": False}
    judged = bench_worker.judge({**request, "bundle": str(pocket_bundle), "options": options})
    assert capsys.readouterr().out == "1\n2\n"

    pipe = vidrt.TextToVideoPipeline(pocket_bundle, threads=1)
    own = vidrt.GenerateOptions(height=32, width=32, num_frames=9, **settings)
    probe = train_probe(ProbeOptions(steps=2))
    assert told(judged) == told([one for one, _ in judge_generated(pipe, own, ask(2, 4), probe)])
    fewer = dataclasses.replace(own, num_inference_steps=1)
    assert told(judged) != told([one for one, _ in judge_generated(pipe, fewer, ask(2, 4), probe)])


@pytest.mark.slow
def test_a_bench_says_how_often_its_clips_show_the_prompts(
    tmp_path: Path, run_vidrt: Callable[..., CompletedProcess[str]]
) -> None:
    scenario = {
        "name": "tiny",
        "repetitions": 1,
        "warmup": 0,
        "prompt_accuracy": ASKED,
        "cases": [{"label": "one step", **TINY, "num_inference_steps": 1}],
    }
    (tmp_path / "s.json").write_text(json.dumps(scenario))
    done = run_vidrt("bench", "run", "s.json", "-o", "r.json")
    assert done.returncode == 0, done.stderr
    (result,) = read_results(tmp_path / "r.json").scenarios
    (case,) = result.cases
    assert result.complete
    for seen in (case.prompt_accuracy, result.real_clips):
        assert seen is not None
        assert list(seen.attributes) == list(VALUES)
        assert (seen.all_right.count, seen.one_object.count) == (2, 2)
        assert seen.all_right.hits <= min(seen.one_object.hits, seen.attributes["shape"].hits)
    assert result.real_clips is not None
    assert result.real_clips.one_object.hits == 2


def test_an_error_of_the_process_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    request = {**ASKED, "probe": str(tmp_path / "probe.pt")}
    bench_worker.train(request)
    capsys.readouterr()
    asked = {**request, "bundle": str(tmp_path / "nowhere"), "options": {}}
    monkeypatch.setattr("sys.argv", ["bench_worker", json.dumps(asked)])
    assert bench_worker.main() == 3
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert "nowhere" in said
    assert said.count("\n") == 1
