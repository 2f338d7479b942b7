"""Results as Markdown: for each scenario the times, then memory, what was compared, and what clips show."""

from __future__ import annotations

from collections.abc import Sequence

from vidrt.engine.bench.difference import Difference
from vidrt.engine.bench.results import CaseResult, Results, ScenarioResult

_TIMES = (
    ("encode_ms", "encode ms"),
    ("denoise_ms", "denoise ms"),
    ("decode_ms", "decode ms"),
    ("total_ms", "total ms"),
    ("host_share", "outside sessions"),
    ("first_frame_ms", "first frame ms"),
    ("last_step_to_first_frame_ms", "last step to first frame ms"),
    ("chunk_ms", "one chunk ms"),
)
_NONE = "–"


def render(results: Sequence[Results], title: str = "# Benchmark results") -> str:
    """All scenarios, sorted by name."""
    scenarios = sorted((one for some in results for one in some.scenarios), key=lambda one: one.scenario.name)
    return title + "\n\n" + "\n".join(_section(one) for one in scenarios)


def _section(result: ScenarioResult) -> str:
    scenario, machine = result.scenario, result.machine
    lines = [f"## {scenario.name}", ""]
    lines += [scenario.question, ""] if scenario.question else []
    rounds = f", in {scenario.rounds} rounds of all rows" if scenario.rounds > 1 else ""
    gpu = f", {machine.gpu}" if machine.gpu else ""
    runtime = f", {result.cases[0].backend}" if result.cases else ""
    lines.append(
        f"{machine.processor}, {machine.cores} cores{gpu}{runtime}, bundle {result.bundle}; medians of "
        f"{scenario.repetitions} runs after {scenario.warmup} warm-up, each row in a process of its own{rounds}. "
        "Loading is not counted."
    )
    if result.remark:
        lines += ["", f"**{result.remark}**"]
    if not result.complete:
        failed = "".join(f" {label} failed: {_one_line(why)}" for label, why in result.failures.items())
        lines += ["", f"**Stopped before its end: cases or rounds are missing.{failed}**"]
    if result.cases:
        lines += ["", *_table(["case", *_titles()], [[case.label, *_times(case)] for case in result.cases])]
        lines += ["", *_memory_table(result)]
        lines += _accuracy(result)
    return "\n".join(lines) + "\n"


def _titles() -> list[str]:
    titles = [title for _, title in _TIMES]
    return [*titles[:4], "total p90", "total p99", *titles[4:], "last step to first frame in chunks"]


def _times(case: CaseResult) -> list[str]:
    medians = {name: one.median for name, one in case.statistics.items()}
    cells = [_cell(name, medians.get(name)) for name, _ in _TIMES]
    total = case.statistics["total_ms"]
    first, chunk = medians.get("last_step_to_first_frame_ms"), medians.get("chunk_ms")
    chunks = f"{first / chunk:.2f}" if first is not None and chunk else _NONE
    return [*cells[:4], f"{total.p90:.1f}", f"{total.p99:.1f}", *cells[4:], chunks]


def _memory_table(result: ScenarioResult) -> list[str]:
    compared = any(case.psnr_db is not None for case in result.cases)
    judged = any(case.prompt_accuracy is not None for case in result.cases)
    titles = ["case", "peak MiB", "of it imports", "the rest", "anonymous, peak", "arena", "plan"]
    titles += ["runtime", "total, first row = 1", "PSNR to the first row, dB"] if compared else []
    titles += ["prompt right"] if judged else []
    rows = []
    first = result.cases[0].statistics["total_ms"].median
    for case in result.cases:
        memory = case.memory
        peak, imports = memory.peak_rss_mib, memory.imports_mib
        row = [case.label, f"{peak:.0f}", f"{imports:.0f}", f"{peak - imports:.0f}"]
        row += [_mib(memory.peak_anonymous_mib), _mib(memory.arena_mib), _mib(memory.plan_mib)]
        if compared:
            psnr = f"{case.psnr_db:.1f}" if isinstance(case.psnr_db, float) else case.psnr_db or _NONE
            row += [case.backend, f"{case.statistics['total_ms'].median / first:.2f}" if first else _NONE, psnr]
        if judged:
            row.append(str(case.prompt_accuracy.all_right) if case.prompt_accuracy else _NONE)
        rows.append(row)
    return _table(titles, rows)


def _accuracy(result: ScenarioResult) -> list[str]:
    """What "prompt right" consists of, each with its interval."""
    wanted, real = result.scenario.prompt_accuracy, result.real_clips
    seen = [(case.label, case.prompt_accuracy) for case in result.cases if case.prompt_accuracy is not None]
    if wanted is None or real is None or not seen:
        return []
    names = list(real.attributes)
    rows = []
    for label, one in [*seen, ("clips that were drawn", real)]:
        attributes = [str(one.attributes[name]) if name in one.attributes else _NONE for name in names]
        rows.append([label, *attributes, str(one.one_object)])
    return [
        "",
        f"Prompt right: all attributes as asked and exactly one object, in clips of {wanted.prompts} prompts, the same "
        f"in every row (seed {wanted.seed}). A probe looks at them that was trained for {wanted.probe_steps} steps; it "
        f"finds {real.all_right} of drawn clips right. In brackets: 95 % intervals (Wilson).",
        "",
        *_table(["case", *names, "exactly one object"], rows),
    ]


def render_difference(difference: Difference) -> str:
    """What changed, as Markdown."""
    lines = []
    if difference.changes:
        rows = [
            [
                one.scenario,
                one.case,
                one.metric,
                f"{one.a:.1f}",
                f"{one.b:.1f}",
                f"{one.ratio:.3f}",
                _NONE if one.low is None else f"{one.low:.3f} to {one.high:.3f}",
                one.verdict,
            ]
            for one in difference.changes
        ]
        lines += _table(["scenario", "case", "metric", "A", "B", "B/A", "95 % interval", "verdict"], rows)
    if difference.accuracy:
        rows = [
            [
                one.scenario,
                one.case,
                str(one.a),
                str(one.b),
                f"{one.low:+.1f} to {one.high:+.1f}",
                one.verdict,
            ]
            for one in difference.accuracy
        ]
        titles = ["scenario", "case", "prompt right in A", "in B", "B - A, points, 95 % interval", "verdict"]
        lines += ["", *_table(titles, rows)]
    notes = (
        ("only in A", difference.only_in_a),
        ("only in B", difference.only_in_b),
        ("not compared, for bundle or settings differ", difference.other_settings),
        ("accuracy not compared, for prompts or probe differ", difference.other_prompts),
        ("measured on different machines", difference.other_machine),
    )
    lines += [f"\n{title}: {', '.join(names)}" for title, names in notes if names]
    return "\n".join(lines or ["Nothing is in both."]) + "\n"


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = ["| " + " | ".join(titles) + " |", "|---" * len(titles) + "|"]
    # A label is a stranger's text: it may not end its cell.
    return lines + ["| " + " | ".join(_one_line(cell).replace("|", "\\|") for cell in row) + " |" for row in rows]


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _cell(name: str, value: float | None) -> str:
    if value is None:
        return _NONE
    return f"{100 * value:.1f} %" if name == "host_share" else f"{value:.1f}"


def _mib(value: float | None) -> str:
    return _NONE if value is None else f"{value:.0f}"
