"""Results: read as strangers' files, compared beyond noise, shown as tables and plots."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from vidrt.engine.bench.difference import diff_results, ratio_interval
from vidrt.engine.bench.plots import draw
from vidrt.engine.bench.report import render, render_difference
from vidrt.engine.bench.results import Results, read_results, write_results
from vidrt.engine.bench.running import psnr_db, together
from vidrt.engine.bench.share import Share, difference_interval
from vidrt.engine.errors import InvalidArgument

sys.path.insert(0, str(Path(__file__).parent))

from bench_samples import MACHINE, case, clips, judged, judged_results, results

ROOT = Path(__file__).resolve().parents[2]
STEADY = [100.0, 101.0, 99.0, 100.5, 99.5]


def verdicts(a: Results, b: Results) -> dict[str, str]:
    return {change.metric: change.verdict for change in diff_results(a, b).changes}


@pytest.mark.parametrize(
    ("factor", "verdict"),
    [(0.5, "faster"), (1.5, "slower"), (1.0, "no difference shown"), (1.002, "no difference shown")],
)
def test_a_diff_tells_what_is_faster_slower_and_not_shown(factor: float, verdict: str) -> None:
    found = verdicts(results(case(STEADY)), results(case([factor * total for total in STEADY])))
    assert found["total_ms"] == found["denoise_ms"] == verdict
    assert "encode_ms" not in found  # nothing below the clock's grain
    assert found["peak_rss_mib"] == "one value each"


def test_a_diff_of_two_runs_gives_no_verdict() -> None:
    (total,) = (one for one in diff_results(results(case(STEADY)), results(case([1.0, 2.0]))).changes
                if one.metric == "total_ms")  # fmt: skip
    assert (total.low, total.high, total.verdict) == (None, None, "no interval")
    assert total.ratio == pytest.approx(0.015)


def test_rounds_that_differ_among_themselves_widen_the_interval() -> None:
    """20 runs that are alike within a process: as one round they seem to show much, as four rounds they do not."""
    before, after = [100.0] * 20, [104.0] * 15 + [99.0] * 5
    assert verdicts(results(case(before)), results(case(after)))["total_ms"] == "slower"
    assert verdicts(results(case(before, 4)), results(case(after, 4)))["total_ms"] == "no difference shown"


def test_runs_of_no_time_give_no_interval_and_no_infinity() -> None:
    found = verdicts(results(case([0.0, 0.0, 1.0, 1.0, 1.0])), results(case([1.0] * 5)))
    assert found["total_ms"] == "no interval"
    assert "total_ms" not in verdicts(results(case([0.0] * 5)), results(case([1.0] * 5)))


def test_statistics_that_are_not_of_the_runs_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    write_results(path, results(case(STEADY)))
    value = json.loads(path.read_text())
    del value["scenarios"][0]["cases"][0]["statistics"]["total_ms"]
    path.write_text(json.dumps(value))
    with pytest.raises(InvalidArgument, match="statistics are of"):
        read_results(path)


def test_the_same_files_give_the_same_interval() -> None:
    import numpy as np

    a, b = (list(np.random.default_rng(seed).uniform(90, 110, (3, 9))) for seed in (1, 2))
    assert ratio_interval(a, b) == ratio_interval(a, b)


def test_a_diff_lists_what_it_does_not_compare() -> None:
    a = results(case(STEADY), case(STEADY, label="gone"), case(STEADY, label="other", num_frames=9))
    b = results(case(STEADY), case(STEADY, label="new"), case(STEADY, label="other", num_frames=17))
    difference = diff_results(a, b)
    assert {change.case for change in difference.changes} == {"a case"}
    assert (difference.only_in_a, difference.only_in_b) == (["one: gone"], ["one: new"])
    assert difference.other_settings == ["one: other"]
    elsewhere = a.scenarios[0].model_copy(update={"machine": MACHINE.model_copy(update={"cores": 64})})
    assert diff_results(a, Results(schema_version=2, scenarios=(elsewhere,))).other_machine == ["one"]
    apart = diff_results(results(case(STEADY), name="x"), results(case(STEADY), name="y"))
    assert (apart.only_in_a, apart.only_in_b, apart.changes) == (["x"], ["y"], [])


def test_results_survive_the_file_and_json_says_all_of_a_diff(tmp_path: Path, run_vidrt) -> None:
    paths = [tmp_path / "a.json", tmp_path / "b.json"]
    for path, factor in zip(paths, (1, 2), strict=True):
        write_results(path, results(case([factor * total for total in STEADY])))
    assert read_results(paths[0]) == results(case(STEADY))
    done = run_vidrt("bench", "diff", *map(str, paths), "--json")
    assert done.returncode == 0, done.stderr
    assert [one["verdict"] for one in json.loads(done.stdout)["changes"]] == ["slower", "slower", "one value each"]
    assert "slower" in run_vidrt("bench", "diff", *map(str, paths)).stdout


@pytest.mark.parametrize(
    ("text", "code", "parts"),
    [
        (None, 6, ["cannot read", "No such file"]),
        ("{", 2, ["is not JSON"]),
        ("[" * 100_000, 2, ["is not JSON"]),
        ("[]", 2, ["holds list", "expected a JSON object"]),
        ('{"schema_version": 1}', 2, ["schema_version 1, expected 2"]),
        ("{}", 2, ["schema_version None, expected 2"]),
        ('{"schema_version": 2, "scenarios": [], "more": 1}', 2, ["more: is not a known key"]),
        ('{"schema_version": 2, "scenarios": [{}]}', 2, ["scenarios.0.scenario: field required"]),
    ],
)
def test_a_file_that_is_no_result_is_one_clear_line(run_vidrt, tmp_path: Path, text, code, parts) -> None:
    path = tmp_path / "r.json"
    if text is not None:
        path.write_text(text)
    for command in (("report", "r.json"), ("diff", "r.json", "r.json")):
        done = run_vidrt("bench", *command)
        assert done.returncode == code, done.stderr
        assert done.stderr.startswith("error: ")
        assert done.stderr.count("\n") == 1
        assert all(part in done.stderr for part in parts), done.stderr


def test_infinite_times_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    write_results(path, results(case(STEADY)))
    path.write_text(path.read_text().replace('"total_ms": 100.0', '"total_ms": Infinity'))
    with pytest.raises(InvalidArgument, match="total_ms"):
        read_results(path)


def test_the_report_has_medians_percentiles_memory_and_the_remark() -> None:
    text = render([results(case([1.0, 2.0, 3.0, 4.0, 10.0], label="a|b\nc"), remark="loud fans")])
    assert "| a\\|b c | 0.0 | 1.5 | – | 3.0 | 7.6 | 9.8 | 25.0 % |" in text
    assert "| a\\|b c | 30 | 10 | 20 | – | 2 | 5 |" in text
    assert "**loud fans**" in text


def test_rounds_of_a_case_are_one_result_with_all_runs_and_the_highest_peak() -> None:
    first, second = case([1.0]), case([3.0])
    lower = first.memory.model_copy(update={"peak_rss_mib": 20.0, "peak_anonymous_mib": 7.0})
    both = together(first, second.model_copy(update={"memory": lower}))
    assert [run.total_ms for run in both.runs] == [1.0, 3.0]
    assert both.statistics["total_ms"].median == 2.0
    assert (both.memory.peak_rss_mib, both.memory.peak_anonymous_mib) == (30.0, 7.0)


def test_frames_that_are_equal_are_identical_and_others_have_a_psnr(tmp_path: Path) -> None:
    import numpy as np

    frames = np.full((2, 4, 4, 3), 100, np.uint8)
    np.save(tmp_path / "a.npy", frames)
    np.save(tmp_path / "b.npy", frames + 1)
    assert psnr_db(tmp_path / "a.npy", tmp_path / "a.npy") == "identical"
    assert psnr_db(tmp_path / "b.npy", tmp_path / "a.npy") == pytest.approx(48.13, abs=0.01)


def test_plots_are_drawn_and_a_missing_matplotlib_says_what_to_install(
    tmp_path: Path, run_vidrt, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("matplotlib", reason="plots need the extra `plots`")
    cases = [case(STEADY, label=f"$\\nothing$ {frames} frames", num_frames=frames) for frames in (9, 17)]
    drawn = draw([results(*cases)], tmp_path / "plots")
    assert [path.name for path in drawn] == ["one-stages.png", "one-frames.png"]  # no samples, no memory over time
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in drawn)
    write_results(tmp_path / "r.json", results(*cases))
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    done = run_vidrt("bench", "report", "r.json", "--plots", "p")
    assert (done.returncode, "vidrt[plots]" in done.stderr) == (4, True), done.stderr
    assert not (tmp_path / "p").exists()


@pytest.mark.parametrize(
    ("hits", "count", "low", "high"),
    # Brown, Cai and DasGupta (2001) and by hand: p = 0 gives z^2 / (n + z^2) above.
    [(0, 10, 0.0, 0.27753), (10, 10, 0.72247, 1.0), (5, 10, 0.23659, 0.76341), (960, 1000, 0.94601, 0.97048)],
)
def test_the_interval_of_a_share_is_wilsons(hits: int, count: int, low: float, high: float) -> None:
    assert Share(hits, count).interval() == pytest.approx((low, high), abs=2e-4)


def test_a_share_of_nothing_is_said_to_be_nothing() -> None:
    assert str(Share(0, 0)) == "–"
    assert Share(0, 0).interval() == (0.0, 1.0)


@pytest.mark.parametrize(
    ("a", "b", "low", "high"),
    # Newcombe (1998), table II, method 10.
    [
        (Share(48, 80), Share(56, 70), 0.0524, 0.3339),
        (Share(3, 10), Share(9, 10), 0.1705, 0.8090),
        (Share(0, 29), Share(5, 56), -0.0381, 0.1926),
        (Share(0, 10), Share(10, 10), 0.6075, 1.0),
    ],
)
def test_the_interval_of_a_difference_is_newcombes(a: Share, b: Share, low: float, high: float) -> None:
    assert difference_interval(a, b) == pytest.approx((low, high), abs=2e-4)
    assert difference_interval(b, a) == pytest.approx((-high, -low), abs=2e-4)


@pytest.mark.parametrize(
    ("after", "verdict"),
    [(74, "right more often"), (60, "no difference shown"), (59, "no difference shown"), (40, "right less often")],
)
def test_a_diff_tells_where_prompts_are_right_more_often(after: int, verdict: str) -> None:
    difference = diff_results(judged_results(judged(59)), judged_results(judged(after)))
    (change,) = difference.accuracy
    assert (change.a, change.b, change.verdict) == (Share(59, 100), Share(after, 100), verdict)
    assert change.low < after - 59 < change.high
    assert f"| {Share(after, 100)} |" in render_difference(difference)
    assert difference.to_dict()["accuracy"][0]["a"] == {"hits": 59, "count": 100}


def test_a_diff_leaves_out_accuracy_of_other_prompts_and_of_what_was_not_judged() -> None:
    a = judged_results(judged(59))
    other = diff_results(a, judged_results(judged(59), seed=1))
    assert (other.accuracy, other.other_prompts) == ([], ["one"])
    assert "prompts or probe differ: one" in render_difference(other)
    for b in (results(case([1.0])), judged_results(case([1.0]))):
        assert (diff_results(a, b).accuracy, diff_results(b, a).accuracy) == ([], [])
        assert diff_results(a, b).other_prompts == []


def test_the_report_has_how_often_prompts_are_right_where_it_was_measured() -> None:
    text = render([judged_results(judged(59), case([1.0], label="a peer"), prompts=100)])
    assert text.count("| prompt right |") == 1
    assert "| a case | 30 | 10 | 20 | – | 2 | 5 | 59.0 % (49.2–68.1) |" in text
    assert "| a peer | 30 | 10 | 20 | – | 2 | 5 | – |" in text
    assert "of 100 prompts" in text
    assert "finds 99.0 % (94.6–99.8) of drawn clips right" in text
    assert "| case | shape | colour | exactly one object |" in text
    assert "| clips that were drawn | 99.0 % (94.6–99.8) | 100.0 % (96.3–100.0) | 100.0 % (96.3–100.0) |" in text
    assert "prompt right" not in render([results(case([1.0]))])


@pytest.mark.parametrize(
    ("share", "message"),
    [
        ({"hits": 101, "count": 100}, "101 of 100 is more than all"),
        ({"hits": -1, "count": 100}, "hits"),
        ({"hits": 0, "count": 0}, "no clip was judged"),
        ({"hits": 1.5, "count": 100}, "hits"),
        ({"hits": 1, "count": 100, "more": 1}, "more"),
    ],
)
def test_shares_that_cannot_be_are_refused(tmp_path: Path, share: dict[str, object], message: str) -> None:
    path = tmp_path / "r.json"
    write_results(path, judged_results(judged(59)))
    assert read_results(path).scenarios[0].cases[0].prompt_accuracy == clips(59)
    value = json.loads(path.read_text())
    value["scenarios"][0]["cases"][0]["prompt_accuracy"]["all_right"] = share
    path.write_text(json.dumps(value))
    with pytest.raises(InvalidArgument, match=message):
        read_results(path)


def test_the_committed_schema_and_results_are_of_this_version() -> None:
    schema = json.loads((ROOT / "docs" / "bench.schema.json").read_text())
    assert schema == Results.model_json_schema()
    committed = sorted((ROOT / "benchmarks" / "results").glob("*.json"))
    title = (ROOT / "benchmarks" / "RESULTS_TITLE.md").read_text().strip()
    text = render([read_results(path) for path in committed], title)
    assert text == (ROOT / "benchmarks" / "RESULTS.md").read_text()
