"""Results as PNG: stages of each case, time against the number of frames, memory over time. Needs matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vidrt.engine.bench.results import Results, ScenarioResult
from vidrt.engine.errors import IoError
from vidrt.engine.plotting import new_figure, plain, save_figure

_STAGES = (("encode_ms", "encode"), ("denoise_ms", "denoise"), ("decode_ms", "decode"))


def draw(results: Sequence[Results], folder: Path) -> list[Path]:
    """Draw what each scenario has into the folder, which is made; returns the files.

    Raises:
        BackendError: matplotlib is not installed.
        IoError: A file cannot be written.
    """
    drawn = []
    for one in (one for some in results for one in some.scenarios if one.cases):
        for name, plot in (("stages", _stages), ("frames", _frames), ("memory", _memory)):
            figure = new_figure(8, 4)
            axes = figure.subplots()
            if not plot(one, axes):
                continue
            axes.set_title(one.scenario.name)
            path = folder / f"{one.scenario.name}-{name}.png"
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise IoError(f"cannot write {path}: {error.strerror}.") from error
            save_figure(figure, path)
            drawn.append(path)
    return drawn


def _stages(result: ScenarioResult, axes: Any) -> bool:
    """Medians stacked; what is in no stage makes up the total."""
    labels = [plain(case.label) for case in result.cases]
    left = [0.0] * len(labels)
    for metric, title in _STAGES:
        widths = [case.statistics[metric].median if metric in case.statistics else 0.0 for case in result.cases]
        axes.barh(labels, widths, left=left, label=title)
        left = [before + width for before, width in zip(left, widths, strict=True)]
    axes.invert_yaxis()
    axes.set_xlabel("ms, medians")
    axes.legend()
    return True


def _frames(result: ScenarioResult, axes: Any) -> bool:
    """Only where cases differ in nothing but the number of frames."""
    others = {str(case.settings.model_copy(update={"label": "-", "num_frames": None})) for case in result.cases}
    lengths = [case.settings.num_frames for case in result.cases]
    points = sorted(
        (length, case.statistics["total_ms"].median, case.statistics["total_ms"].p90)
        for length, case in zip(lengths, result.cases, strict=True)
        if length is not None
    )
    if len(others) > 1 or len(points) < 2:
        return False
    frames, medians, p90 = zip(*points, strict=True)
    axes.plot(frames, medians, marker="o", label="median")
    axes.plot(frames, p90, marker=".", linestyle=":", label="p90")
    axes.set(xlabel="frames", ylabel="total ms", xlim=(0, None), ylim=(0, None))
    axes.legend()
    return True


def _memory(result: ScenarioResult, axes: Any) -> bool:
    sampled = [case for case in result.cases if case.memory.samples]
    for case in sampled:
        seconds, resident, _ = zip(*((ms / 1000, rss, anon) for ms, rss, anon in case.memory.samples), strict=True)
        axes.plot(seconds, resident, label=plain(case.label))
    axes.set(xlabel="s since the process began", ylabel="resident MiB", ylim=(0, None))
    if sampled:
        axes.legend()
    return bool(sampled)
