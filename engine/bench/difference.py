"""What changed between two results, beyond what chance would do.

For each case the ratio of medians B/A with a 95 % interval of the bootstrap (Efron 1979), percentiles of resampled
ratios. Where both have several rounds, rounds are drawn first and runs within them: runs of one process are alike in
more than their settings (Davison and Hinkley 1997, section 3.8). How often prompts are right differs by so many points,
with the interval of share.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from vidrt.engine.bench.results import METRICS, CaseResult, Results, values_of
from vidrt.engine.bench.share import Share, difference_interval

RESAMPLES = 2000
SEED = 0
CONFIDENCE = 0.95
FEWEST_RUNS = 3
"""With fewer, resampling says nothing."""
TIMES = tuple(metric for metric in METRICS if metric.endswith("_ms"))
SMALLEST_MS = 0.1
"""Medians below it in both are the clock's and the cache's business (an encoded prompt is kept)."""


@dataclass(frozen=True)
class Change:
    """One metric of one case.

    Attributes:
        scenario: The scenario's name.
        case: The case's label.
        metric: As in results.
        a: Median in A.
        b: Median in B.
        ratio: b/a.
        low: End of the interval; None where there are fewer than three runs, runs of no time, or a single value.
        high: The other end.
        verdict: "faster", "slower", "no difference shown", "no interval" or, of memory, "one value each".
    """

    scenario: str
    case: str
    metric: str
    a: float
    b: float
    ratio: float
    low: float | None
    high: float | None
    verdict: str


@dataclass(frozen=True)
class AccuracyChange:
    """How often the clips of one case show what prompts say.

    Attributes:
        scenario: The scenario's name.
        case: The case's label.
        a: All right in A.
        b: All right in B.
        low: End of the interval of b less a, in points of 100. Both were asked the same, so it is rather too wide.
        high: The other end.
        verdict: "right more often", "right less often" or "no difference shown".
    """

    scenario: str
    case: str
    a: Share
    b: Share
    low: float
    high: float
    verdict: str


@dataclass(frozen=True)
class Difference:
    """Two results beside each other; scenarios and cases are named as SCENARIO or SCENARIO: CASE."""

    changes: list[Change] = field(default_factory=list)
    accuracy: list[AccuracyChange] = field(default_factory=list)
    only_in_a: list[str] = field(default_factory=list)
    only_in_b: list[str] = field(default_factory=list)
    other_settings: list[str] = field(default_factory=list)
    """Cases of the same name that asked for something else, and so are not compared."""
    other_prompts: list[str] = field(default_factory=list)
    """Scenarios whose clips were judged in both, but asked for other prompts or seen by another probe."""
    other_machine: list[str] = field(default_factory=list)
    """Scenarios that ran on different machines: what differs may be theirs."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def diff_results(a: Results, b: Results) -> Difference:
    """Compare two results."""
    difference = Difference()
    in_a, in_b = ({one.scenario.name: one for one in results.scenarios} for results in (a, b))
    difference.only_in_a.extend(name for name in in_a if name not in in_b)
    difference.only_in_b.extend(name for name in in_b if name not in in_a)
    for name in (name for name in in_a if name in in_b):
        if in_a[name].machine != in_b[name].machine:
            difference.other_machine.append(name)
        asked_a, asked_b = (one[name].scenario.prompt_accuracy for one in (in_a, in_b))
        if asked_a is not None and asked_b is not None and asked_a != asked_b:
            difference.other_prompts.append(name)
        cases_a, cases_b = ({case.label: case for case in one[name].cases} for one in (in_a, in_b))
        difference.only_in_a.extend(f"{name}: {label}" for label in cases_a if label not in cases_b)
        difference.only_in_b.extend(f"{name}: {label}" for label in cases_b if label not in cases_a)
        for label in (label for label in cases_a if label in cases_b):
            same_bundle = in_a[name].scenario.bundle == in_b[name].scenario.bundle and (
                in_a[name].bundle == in_b[name].bundle
            )
            if same_bundle and cases_a[label].settings == cases_b[label].settings:
                difference.changes.extend(_changes(name, cases_a[label], cases_b[label]))
                if asked_a == asked_b:
                    difference.accuracy.extend(_accuracy_change(name, cases_a[label], cases_b[label]))
            else:
                difference.other_settings.append(f"{name}: {label}")
    return difference


def _changes(scenario: str, a: CaseResult, b: CaseResult) -> list[Change]:
    changes = []
    for metric in TIMES:
        values = [values_of(one.runs, metric) for one in (a, b)]
        if not all(values):
            continue
        before, after = (float(np.median(some)) for some in values)
        if max(before, after) < SMALLEST_MS or not before > 0:
            continue
        low, high = ratio_interval(_by_round(a, metric), _by_round(b, metric))
        verdict = _verdict(low, high)
        changes.append(Change(scenario, a.label, metric, before, after, after / before, low, high, verdict))
    for name in ("peak_rss_mib", "peak_anonymous_mib"):
        held, holds = getattr(a.memory, name), getattr(b.memory, name)
        if held and holds:
            changes.append(Change(scenario, a.label, name, held, holds, holds / held, None, None, "one value each"))
    return changes


def _accuracy_change(scenario: str, a: CaseResult, b: CaseResult) -> list[AccuracyChange]:
    if a.prompt_accuracy is None or b.prompt_accuracy is None:
        return []
    before, after = a.prompt_accuracy.all_right, b.prompt_accuracy.all_right
    low, high = difference_interval(before, after)
    verdict = "right more often" if low > 0 else "right less often" if high < 0 else "no difference shown"
    return [AccuracyChange(scenario, a.label, before, after, 100 * low, 100 * high, verdict)]


def _verdict(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return "no interval"
    return "faster" if high < 1 else "slower" if low > 1 else "no difference shown"


def _by_round(case: CaseResult, metric: str) -> list[npt.NDArray[np.float64]]:
    rounds: dict[int, list[float]] = {}
    for run in case.runs:
        if (value := getattr(run, metric)) is not None:
            rounds.setdefault(run.round, []).append(value)
    return [np.array(values) for values in rounds.values()]


def ratio_interval(
    a: Sequence[npt.NDArray[np.float64]], b: Sequence[npt.NDArray[np.float64]]
) -> tuple[float | None, float | None]:
    """The 95 % interval of median(b)/median(a), from runs by round; (None, None) where too few or of no time."""
    if min(sum(map(len, a)), sum(map(len, b))) < FEWEST_RUNS:
        return None, None
    generator = np.random.default_rng(SEED)
    after, before = _resampled_medians(b, generator), _resampled_medians(a, generator)
    if not np.all(before > 0):
        return None, None
    ratios = after / before
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(ratios, (tail, 100 - tail)).tolist()
    return low, high


def _resampled_medians(
    rounds: Sequence[npt.NDArray[np.float64]], generator: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Medians (RESAMPLES,); of each drawn round as many runs are drawn as the longest round has."""
    lengths = np.array([len(runs) for runs in rounds])
    padded = np.zeros((len(rounds), lengths.max()))
    for row, runs in zip(padded, rounds, strict=True):
        row[: len(runs)] = runs
    drawn = generator.integers(len(rounds), size=(RESAMPLES, len(rounds), 1))
    chosen = (generator.random((RESAMPLES, len(rounds), lengths.max())) * lengths[drawn]).astype(np.int64)
    medians: npt.NDArray[np.float64] = np.median(padded[drawn, chosen].reshape(RESAMPLES, -1), axis=1)
    return medians
