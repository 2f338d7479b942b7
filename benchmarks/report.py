"""Render benchmarks/results/*.json as benchmarks/RESULTS.md."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

COLUMNS = (
    ("encode_ms", "encode ms"),
    ("denoise_ms", "denoise ms"),
    ("decode_ms", "decode ms"),
    ("total_ms", "total ms"),
    ("host_share", "outside sessions"),
    ("last_step_to_first_frame_ms", "last step to first frame ms"),
    ("chunk_ms", "one chunk ms"),
    ("first_frame_chunks", "the same in chunks"),
)


def median(case: dict[str, Any], key: str) -> float | None:
    """Median over a case's runs; None where it was not measured."""
    if key == "first_frame_chunks":
        first, chunk = median(case, "last_step_to_first_frame_ms"), median(case, "chunk_ms")
        return first / chunk if first is not None and chunk else None
    values = [run[key] for run in case["runs"] if run[key] is not None]
    return statistics.median(values) if values else None


def cell(key: str, value: float | None) -> str:
    """A figure as the table shows it."""
    if value is None:
        return "–"
    if key == "first_frame_chunks":
        return f"{value:.2f}"
    return f"{100 * value:.1f} %" if key == "host_share" else f"{value:.1f}"


def in_rounds(scenario: dict[str, Any]) -> str:
    """How often the rows took turns, where that is more than once; earlier results do not say."""
    rounds = scenario.get("rounds", 1)
    return f", in {rounds} rounds of all rows" if rounds > 1 else ""


def render(result: dict[str, Any]) -> str:
    """One scenario as a Markdown section."""
    scenario, machine = result["scenario"], result["machine"]
    lines = [f"## {scenario['name']}", "", scenario["question"], ""]
    lines.append(
        f"{machine['processor']}, {machine['cores']} cores, {result['cases'][0]['backend']}, bundle "
        f"{result['bundle']}; medians of {scenario['repetitions']} runs after {scenario['warmup']} warm-up, each row "
        f"in a process of its own{in_rounds(scenario)}. Loading is not counted."
    )
    if result["remark"]:
        lines += ["", f"**{result['remark']}**"]
    titles = [title for _, title in COLUMNS] + ["peak MiB", "of it imports", "the rest"]
    compared = "psnr_db" in result["cases"][0]
    if compared:
        titles += ["runtime", "total, first row = 1", "PSNR to the first row, dB"]
    lines += ["", "| case | " + " | ".join(titles) + " |", "|---" * (len(titles) + 1) + "|"]
    for case in result["cases"]:
        cells = [cell(key, median(case, key)) for key, _ in COLUMNS]
        peak, imports = case["peak_mib"], case["imports_mib"]
        cells += [f"{peak:.0f}", f"{imports:.0f}", f"{peak - imports:.0f}"]
        if compared:
            ratio = (median(case, "total_ms") or 0) / (median(result["cases"][0], "total_ms") or 1)
            cells += [case["backend"], f"{ratio:.2f}", "–" if case is result["cases"][0] else f"{case['psnr_db']:.1f}"]
        lines.append(f"| {case['label']} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def write_report(results: Path) -> Path:
    """Write RESULTS.md beside the folder of results; returns its path."""
    sections = [render(json.loads(path.read_text())) for path in sorted(results.glob("*.json"))]
    header = (
        "# Benchmark results\n\nMade by `python benchmarks/run.py`; do not edit. What TensorRT engines take: "
        "[ENGINES.md](ENGINES.md).\n\n"
    )
    target = results.parent / "RESULTS.md"
    target.write_text(header + "\n".join(sections))
    return target
