"""`vidrt bench run`: scenario files are checked before anything runs, cases run apart, what is finished is kept."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vidrt.engine.bench import accuracy, running, source_tree
from vidrt.engine.bench.process import Finished, run_process
from vidrt.engine.bench.results import read_results
from vidrt.engine.bench.scenario import read_scenario
from vidrt.engine.errors import BackendError
from vidrt.engine.events import CancelToken

sys.path.insert(0, str(Path(__file__).parent))

from bench_samples import clips

ROOT = Path(__file__).resolve().parents[2]
TINY = {"height": 32, "width": 32, "num_frames": 9, "num_inference_steps": 1, "threads": 1}
FLAGS = ("--height", "32", "--width", "32", "--num-frames", "9", "--steps", "1", "--threads", "1")
SCENARIO = {"name": "tiny", "repetitions": 2, "warmup": 0, "cases": [{"label": "a", **TINY}]}

# Runs the command line; when the process of a number begins, sends itself what Ctrl-C sends.
INTERRUPTING = """
import os, signal, sys
from vidrt.engine.bench import accuracy, running
original, number, seen = running.run_process, int(sys.argv[1]), []
def run_process(*arguments, **keywords):
    seen.append(1)
    if len(seen) == number:
        os.kill(os.getpid(), signal.SIGINT)
    return original(*arguments, **keywords)
accuracy.run_process = running.run_process = run_process
from vidrt.engine.cli import main
sys.argv = ["vidrt", *sys.argv[2:]]
main()
"""


def changed(**keys: object) -> dict[str, object]:
    return {**SCENARIO, **keys}


def with_case(**keys: object) -> dict[str, object]:
    return changed(cases=[{"label": "a", **TINY, **keys}])


@pytest.mark.parametrize("path", sorted((ROOT / "benchmarks" / "scenarios").glob("*.json")), ids=lambda path: path.stem)
def test_the_scenarios_of_the_source_tree_are_read(path: Path) -> None:
    assert read_scenario(path).name == path.stem


@pytest.mark.parametrize(
    ("scenario", "parts"),
    [
        ({}, ["name: field required"]),
        (changed(repetition=2), ["repetition: is not a known key", "repetitions"]),
        (with_case(hight=32), ["cases.0.hight: is not a known key"]),
        (with_case(height=-32), ["cases.0.height", "greater than or equal to 1", "got -32"]),
        (with_case(height="32"), ["cases.0.height", "valid integer", "got '32'"]),
        (with_case(num_frames=True), ["cases.0.num_frames", "got True"]),
        (with_case(guidance_scale=-1), ["cases.0.guidance_scale", "got -1"]),
        (with_case(step_cache=-0.5), ["cases.0.step_cache", "got -0.5"]),
        (with_case(peer="pytorch", guidance_scale=3.0, step_cache=0.1), ["peers have no step_cache"]),
        (with_case(height=33), ["tiny, 'a': height must be", "got 33", "nearest valid"]),
        (with_case(latents=[0, 1, 1]), ["cases.0.latents.0", "got 0"]),
        (with_case(backend="tensorflow"), ["tensorflow"]),
        (with_case(peer="jax"), ["cases.0.peer", "'pytorch', 'diffusers' or 'openvino'"]),
        (with_case(peer="pytorch"), ["must say guidance_scale"]),
        (changed(repetitions=0), ["repetitions", "got 0"]),
        (changed(rounds=-1), ["rounds", "got -1"]),
        (changed(cases=[]), ["cases", "at least 1"]),
        (changed(cases=SCENARIO["cases"] * 2), ["two cases have the same label"]),
        (changed(name="../up"), ["name", "'../up'"]),
        (changed(bundle={"make": "wan"}), ["'wan' takes layers"]),
        (changed(bundle={"make": "unet3d", "preset": "ltx"}), ["'unet3d' takes layers"]),
        (changed(bundle={"make": "gold"}), ["bundle", "'gold'"]),
        (changed(prompt_accuracy={"prompts": 0}), ["prompt_accuracy.prompts", "got 0"]),
        (changed(prompt_accuracy={"prompt": 1}), ["prompt_accuracy.prompt: is not a known key"]),
        (changed(prompt_accuracy={}, bundle={"make": "decode-only"}), ["prompt_accuracy", "makes one of its own"]),
        (with_case(latents=[2, 8, 8]) | {"prompt_accuracy": {}}, ["prompt_accuracy needs a case without"]),
    ],
    ids=lambda value: value[0][:40] if isinstance(value, list) else "",
)
def test_a_scenario_in_trouble_is_one_clear_line_before_anything_runs(run_vidrt, tmp_path, scenario, parts) -> None:
    (tmp_path / "s.json").write_text(json.dumps(scenario))
    done = run_vidrt("bench", "run", "s.json")
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1, done.stderr
    assert all(part in done.stderr for part in parts), done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["s.json"]


@pytest.mark.parametrize(
    ("arguments", "code", "parts"),
    [
        (("nowhere.json",), 6, ["cannot read nowhere.json"]),
        (("--bundle", "nowhere"), 3, ["nowhere"]),
        (("s.json", "--bundle", "nowhere"), 3, ["nowhere"]),
        (("s.json", "s.json"), 2, ["two scenarios are called tiny"]),
        (("s.json", "--height", "32"), 2, ["--height is for a bench without scenario files"]),
        (("--compare", "jax"), 2, ["pytorch, diffusers, stock-ort", "'jax'"]),
        (("--compare", "pytorch"), 2, ["--threads"]),
        (("--compare", "stock-ort", "--variant", "fp32"), 2, ["leave --variant out"]),
        (("--repetitions", "-1"), 2, ["repetitions", "got -1"]),
        (("s.json", "--output", "no/folder/r.json"), 6, ["cannot write no/folder/r.json"]),
    ],
)
def test_options_in_trouble_are_one_clear_line(run_vidrt, tmp_path, monkeypatch, arguments, code, parts) -> None:
    monkeypatch.setattr(running, "run_process", lambda *_: pytest.fail("something was measured"))
    (tmp_path / "s.json").write_text(json.dumps(SCENARIO))
    done = run_vidrt("bench", "run", *arguments)
    assert done.returncode == code, done.stderr
    assert all(part in done.stderr for part in parts), done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "bench.json").exists()


def test_without_peers_the_error_says_where_they_are(run_vidrt) -> None:
    done = run_vidrt("bench", "run", *FLAGS, "--compare", "pytorch", VIDRT_BENCHMARKS="elsewhere")
    assert done.returncode == 4
    assert "elsewhere/peers/with_pytorch.py" in done.stderr
    assert "source tree" in done.stderr


def test_a_peer_whose_library_is_missing_says_what_to_install(run_vidrt, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    done = run_vidrt("bench", "run", *FLAGS, "--compare", "pytorch", VIDRT_BENCHMARKS=str(ROOT / "benchmarks"))
    assert done.returncode == 4
    assert "torch, diffusers is not installed; run `pip install 'vidrt[export,benchmarks]'`" in done.stderr


def test_a_probe_whose_library_is_missing_says_what_to_install(run_vidrt, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    done = run_vidrt("bench", "run", *FLAGS, "--prompts", "2")
    assert done.returncode == 4
    assert "judges clips (prompt_accuracy), and torch is not installed" in done.stderr
    assert "pip install 'vidrt[export" in done.stderr


@pytest.mark.parametrize(
    ("case", "family", "parts"),
    [
        ({"height": 48}, "pocket", ["tiny, 'a'", "square clips", "got 48 x 32 pixels"]),
        ({"num_frames": 1}, "pocket", ["tiny, 'a'", "3 or more frames", "and 1 frames"]),
        ({}, "wan", ["of the family pocket alone", "is of the family wan"]),
    ],
)
def test_clips_that_no_probe_can_judge_are_refused_before_anything_runs(
    run_vidrt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bundle_copy: Path, case, family: str, parts
) -> None:
    monkeypatch.setattr(running, "run_process", lambda *_: pytest.fail("something was measured"))
    monkeypatch.setattr(source_tree, "_JUDGE_PACKAGES", ())
    manifest = json.loads((bundle_copy / "manifest.json").read_text())
    (bundle_copy / "manifest.json").write_text(json.dumps(manifest | {"family": family}))
    (tmp_path / "s.json").write_text(json.dumps(with_case(**case) | {"prompt_accuracy": {}}))
    done = run_vidrt("bench", "run", "s.json", "--bundle", "bundle")
    assert done.returncode == 2, done.stderr
    assert all(part in done.stderr for part in parts), done.stderr


class Judging:
    """Stands for the processes that train probes and judge clips; `fails` are parts of requests that bring no luck."""

    def __init__(self, *fails: str) -> None:
        self.fails = fails
        self.requests: list[dict[str, object]] = []

    def __call__(self, command, scratch, cancel, *, on_line) -> Finished:
        self.requests.append(json.loads(command[-1]))
        on_line("1")
        if any(part in command[-1] for part in self.fails):
            raise BackendError("out of luck")
        return Finished(clips(99 if "bundle" not in self.requests[-1] else 70).model_dump(), ())


@pytest.fixture
def judging(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Judging]:
    def install(*fails: str) -> Judging:
        stand_in = Judging(*fails)
        monkeypatch.setattr(accuracy, "run_process", stand_in)
        monkeypatch.setattr(source_tree, "_JUDGE_PACKAGES", ())
        return stand_in

    return install


def test_clips_are_judged_after_all_timed_runs_with_each_cases_own_settings(
    run_vidrt, tmp_path: Path, judging: Callable[..., Judging], monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in = judging()
    timed = []
    original = running.run_process

    def run_process(*arguments: Any) -> Finished:
        assert not stand_in.requests, "a timed run met a process that judges"
        timed.append(1)
        return original(*arguments)

    monkeypatch.setattr(running, "run_process", run_process)
    cases = [
        {"label": "a", **TINY, "scheduler": "unipc", "step_cache": 0.1, "keep_frames": False},
        {"label": "b", **TINY, "memory_budget": "1GiB"},
        {"label": "noise", "latents": [2, 8, 8], "threads": 1},
    ]
    asked = {"prompts": 7, "seed": 3, "probe_steps": 2}
    (tmp_path / "s.json").write_text(json.dumps(changed(cases=cases, repetitions=1, rounds=2, prompt_accuracy=asked)))
    done = run_vidrt("bench", "run", "s.json", "-o", "r.json")
    assert done.returncode == 0, done.stderr
    assert len(timed) == 6
    train, *judge = stand_in.requests
    assert "bundle" not in train
    assert [request["options"] for request in judge] == [
        {key: value for key, value in case.items() if key != "label"} for case in cases[:2]
    ]
    assert all(request.items() >= train.items() for request in judge)
    assert train.items() >= asked.items()
    (result,) = read_results(tmp_path / "r.json").scenarios
    assert (result.complete, result.real_clips) == (True, clips(99))
    assert [case.prompt_accuracy for case in result.cases] == [clips(70), clips(70), None]
    assert "| 70.0 % (60.4–78.1) |" in done.stdout


def test_the_probe_is_trained_once_a_bench_and_prompts_may_be_given_by_option(
    run_vidrt, tmp_path: Path, judging: Callable[..., Judging]
) -> None:
    stand_in = judging()
    for name in ("one", "two"):
        scenario = {**with_case(), "name": name, "repetitions": 1, "prompt_accuracy": {"seed": 5}}
        (tmp_path / f"{name}.json").write_text(json.dumps(scenario))
    done = run_vidrt("bench", "run", "one.json", "two.json", "--prompts", "9")
    assert done.returncode == 0, done.stderr
    assert ["bundle" in request for request in stand_in.requests] == [False, True, True]
    assert {(request["prompts"], request["seed"]) for request in stand_in.requests} == {(9, 5)}


@pytest.mark.parametrize(
    ("fails", "failures", "seen"),
    [
        ('"scheduler": "unipc"', {"a": "its clips were not judged: out of luck"}, [None, clips(70)]),
        ('"probe"', {"prompt_accuracy": "out of luck"}, [None, None]),
    ],
)
def test_judging_that_fails_leaves_the_times_in_the_file(
    run_vidrt, tmp_path: Path, judging: Callable[..., Judging], fails: str, failures: dict[str, str], seen
) -> None:
    judging(fails)
    cases = [{"label": "a", **TINY, "scheduler": "unipc"}, {"label": "b", **TINY}]
    (tmp_path / "s.json").write_text(json.dumps(changed(cases=cases, repetitions=1, prompt_accuracy={})))
    done = run_vidrt("bench", "run", "s.json", "-o", "r.json")
    assert done.returncode == 4
    assert done.stderr.endswith("out of luck\n")
    (result,) = read_results(tmp_path / "r.json").scenarios
    assert (result.complete, result.failures) == (False, failures)
    assert [(len(case.runs), case.prompt_accuracy) for case in result.cases] == [(1, one) for one in seen]


def test_what_a_process_prints_is_told_while_it_runs(tmp_path: Path) -> None:
    told: list[str] = []
    code = "import time; print(1, flush=True); time.sleep(0.2); print('{}')"
    finished = run_process(["-c", code], tmp_path, CancelToken(), on_line=told.append)
    assert told[0] == "1"
    assert finished.answer == {}


def test_options_are_a_scenario_whose_results_have_every_figure(run_vidrt, tmp_path: Path) -> None:
    done = run_vidrt(
        "bench", "run", *FLAGS, "--repetitions", "2", "--rounds", "2", "--compare", "stock-ort", "-o", "r.json"
    )
    assert done.returncode == 0, done.stderr
    assert "| stock graphs |" in done.stdout
    (result,) = read_results(tmp_path / "r.json").scenarios
    assert (result.complete, result.bundle, result.failures) == (True, "pocket", {})
    ours, stock = result.cases
    assert (ours.label, stock.label, stock.settings.variant) == ("vidrt", "stock graphs", "fp32")
    for case in (ours, stock):
        assert [run.round for run in case.runs] == [1, 1, 2, 2]
        assert all(0 < run.host_share < 1 and run.total_ms >= run.first_frame_ms > 0 for run in case.runs)
        assert case.statistics["total_ms"].median <= case.statistics["total_ms"].p99
        memory = case.memory
        assert 0 < memory.imports_mib < memory.peak_rss_mib
        assert memory.peak_anonymous_mib < memory.peak_rss_mib
        assert 0 < memory.arena_mib < memory.plan_mib
        assert len(memory.samples) > 1
    assert ours.psnr_db is None
    assert stock.psnr_db == "identical" or stock.psnr_db > 60
    assert result.versions.onnxruntime in ours.backend


def test_a_case_that_fails_leaves_the_others_in_the_file(run_vidrt, tmp_path: Path) -> None:
    # A peer that prints nonsense stands for whatever may go wrong in a process of its own.
    peers = tmp_path / "benchmarks" / "peers"
    peers.mkdir(parents=True)
    (peers / "with_pytorch.py").write_text("import sys\nsys.exit('out of luck')")
    if importlib.util.find_spec("torch") is None or importlib.util.find_spec("diffusers") is None:
        pytest.skip("a peer is refused where its library is missing")
    cases = [
        {"label": "bad", "peer": "pytorch", "guidance_scale": 3.0, **TINY},
        {"label": "decoding", "latents": [2, 8, 8], "threads": 1, "keep_frames": True},
    ]
    (tmp_path / "s.json").write_text(json.dumps(changed(cases=cases, rounds=2, repetitions=1)))
    done = run_vidrt("bench", "run", "s.json", "-o", "r.json", VIDRT_BENCHMARKS=str(tmp_path / "benchmarks"))
    assert done.returncode == 4
    assert done.stderr == "error: tiny, 'bad' failed: out of luck\n"
    (result,) = read_results(tmp_path / "r.json").scenarios
    assert (result.complete, result.failures) == (False, {"bad": "out of luck"})
    assert [(case.label, len(case.runs)) for case in result.cases] == [("decoding", 2)]
    assert "bad failed: out of luck" in done.stdout


@pytest.mark.parametrize(("number", "kept"), [(1, []), (2, ["a"]), (3, ["a", "b"])])
def test_ctrl_c_keeps_the_finished_cases(pocket_bundle: Path, tmp_path: Path, number: int, kept: list[str]) -> None:
    cases = [{"label": label, **TINY} for label in "ab"]
    scenario = changed(cases=cases, repetitions=1)
    if number == 3:  # the probe's training
        if importlib.util.find_spec("torch") is None:
            pytest.skip("a probe is refused where torch is missing")
        scenario["prompt_accuracy"] = {}
    (tmp_path / "s.json").write_text(json.dumps(scenario))
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTING, str(number), "bench", "run", "s.json", "-o", "r.json"],
        cwd=tmp_path,
        env={**os.environ, "VIDRT_BUNDLE": str(pocket_bundle)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 128 + signal.SIGINT, done.stderr
    if not kept:
        assert "nothing was written" in done.stderr
        assert [path.name for path in tmp_path.iterdir()] == ["s.json"]
        return
    assert "kept in r.json" in done.stderr
    (result,) = read_results(tmp_path / "r.json").scenarios
    assert (result.complete, [case.label for case in result.cases]) == (False, kept)


def test_a_bundle_is_made_as_the_scenario_says(run_vidrt, tmp_path: Path, pocket_bundle: Path) -> None:
    pytest.importorskip("onnx", reason="the idle denoiser is made with onnx, which the extra `export` brings")
    (tmp_path / "s.json").write_text(json.dumps(with_case(num_inference_steps=8) | {"bundle": {"make": "decode-only"}}))
    done = run_vidrt(
        "bench", "run", "s.json", "-o", "r.json", "--bundle", str(pocket_bundle),
        VIDRT_BENCHMARKS=str(ROOT / "benchmarks"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    statistics = read_results(tmp_path / "r.json").scenarios[0].cases[0].statistics
    assert statistics["denoise_ms"].median < statistics["decode_ms"].median


def test_the_bench_imports_no_torch(run_python) -> None:
    code = "import sys, vidrt.engine.bench.running, vidrt.engine.bench.plots, vidrt.engine.bench.worker as w;"
    code += "assert 'torch' not in sys.modules and 'matplotlib' not in sys.modules"
    assert run_python(code).returncode == 0
