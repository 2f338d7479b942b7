"""WAN_PUBLISHED.md of the records of benchmarks/wan_published.py."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Record = Mapping[str, Any]
_MIB = 2**20
_HEADER = """# Wan at published sizes

Made by `python benchmarks/wan_published.py`; do not edit. The published configurations with random weights; components
that a part is not about are a toy's. *Peak* is the most private memory of the part's process, pages of mapped files
left out, seen every 20 ms. Other work ran on the machine meanwhile: seconds are upper bounds. No engine has run.
"""


def report_of(records: Mapping[str, Record], depths: Mapping[str, str]) -> str:
    """The report.

    Args:
        records: By part; one that was not run has "skipped", one that failed "failed".
        depths: Of each part's model, in words.
    """
    done = {name: record for name, record in records.items() if "seconds" in record}

    def of(task: str) -> list[tuple[str, str, Record]]:
        return [(name, depths[name], record) for name, record in done.items() if record["task"] == task]

    sections = [
        _HEADER,
        _section("Exports", _exports(of("export"))),
        _section("Differences from PyTorch", _graphs(of("export"))),
        _section("One denoising step and its frames, on the processor", _generations(of("generate"))),
        _section("One block at 32,760 tokens", _blocks(of("block"))),
        _section("TensorRT for RTX", _engines(of("build"))),
        _section("Not run", _absent(records)),
    ]
    return "\n".join(section for section in sections if section)


def _section(title: str, rows: list[list[str]]) -> str:
    return f"## {title}\n\n{_table(rows)}" if len(rows) > 1 else ""


def _table(rows: Iterable[list[str]]) -> str:
    first, *rest = rows
    lines = ["| " + " | ".join(row) + " |" for row in (first, *rest)]
    return "\n".join([lines[0], "|---" * len(first) + "|", *lines[1:]]) + "\n"


def _exports(parts: list[tuple[str, str, Record]]) -> list[list[str]]:
    rows = [["part", "depth", "stored in", "weights MiB", "peak MiB", "seconds"]]
    for name, depth, record in parts:
        figures = (record["weight_bytes"] / _MIB, record["peak_anonymous_mib"], record["seconds"])
        rows.append([name, depth, record["dtype"], *(f"{figure:.0f}" for figure in figures)])
    return rows


def _graphs(parts: list[tuple[str, str, Record]]) -> list[list[str]]:
    rows = [["part", "module", "variant", "nodes", "largest difference", "allowed", "cases"]]
    for name, _, record in parts:
        for graph in record["graphs"]:
            parity = graph["parity"]
            difference = f"{parity['max_abs']:.1e}" + (" (emulated)" if parity["method"] == "emulated" else "")
            rows.append([name, graph["module"], graph["variant"], str(graph["nodes"]), difference])
            rows[-1] += [f"{parity['tolerance']:g}", str(parity["cases"])]
    return rows


def _generations(parts: list[tuple[str, str, Record]]) -> list[list[str]]:
    rows = [["part", "depth", "residency", "planned MiB", "peak MiB", "frames", "their deviation"]]
    rows[0].append("load, denoise, decode s")
    for name, depth, record in parts:
        frames, height, width, _ = record["shape"]
        rows.append([name, depth, record["residency"]])
        rows[-1] += [f"{record[key]:.0f}" for key in ("plan_mib", "peak_anonymous_mib")]
        rows[-1] += [f"{frames} of {width}x{height}", f"{record['deviation']:.2f}"]
        seconds = (record["timings_ms"][stage] / 1000 for stage in ("load", "denoise", "decode"))
        rows[-1].append(", ".join(f"{one:.1f}" for one in seconds))
    return rows


def _blocks(parts: list[tuple[str, str, Record]]) -> list[list[str]]:
    rows = [
        ["part", "depth", "latents", "tokens", "peak of a run MiB", "bound MiB", "all scores MiB", "session MiB", "s"]
    ]
    for name, depth, record in parts:
        rows.append([name, depth, "x".join(map(str, record["latents"])), f"{record['tokens']:,}"])
        rows[-1] += [f"{record[key]:.0f}" for key in ("run_mib", "bound_mib", "scores_mib", "session_mib", "seconds")]
    return rows


def _engines(parts: list[tuple[str, str, Record]]) -> list[list[str]]:
    rows = [["part", "depth", "module", "precision", "sizes", "graph's weights MiB", "engine's", "engine MiB"]]
    rows[0] += ["activations MiB", "layers", "build s", "peak MiB"]
    for name, depth, record in parts:
        for engine in record["engines"]:
            rows.append([name, depth, engine["module"], engine["precision"]])
            rows[-1].append(", ".join(f"{size} {value}" for size, value in engine["sizes"].items()))
            figures = ("initializer_bytes", "weight_bytes", "bytes", "activation_bytes")
            rows[-1] += [_mib(engine[key]) for key in figures]
            rows[-1] += [str(engine["layers"]), f"{engine['build_seconds']:.0f}"]
            rows[-1].append(f"{record['peak_anonymous_mib']:.0f}")
    return rows


def _mib(count: int | None) -> str:
    return "–" if count is None else f"{count / _MIB:.0f}"


def _absent(records: Mapping[str, Record]) -> list[list[str]]:
    rows = [["part", "why"]]
    for name, record in records.items():
        why = record.get("skipped") or record.get("failed")
        if why is not None:
            rows.append([name, " ".join(str(why).split())])
    return rows
