"""The losses of a training run as a picture."""

from __future__ import annotations

import json
from pathlib import Path

from matplotlib.figure import Figure

STAGES = ("vae", "denoiser", "decoder")
"""In the order of a training run, which is that of the picture."""
SMOOTHED = 20
"""Logged losses of which the drawn line is the mean; single ones are drawn pale."""


def read_log(path: Path) -> tuple[list[int], list[float]]:
    """Steps and losses of a stage, in order; of a step that was trained again after an interruption, the later."""
    entries = [json.loads(line) for line in path.read_text().splitlines()]
    losses = {entry["step"]: entry["loss"] for entry in entries}
    steps = sorted(losses)
    return steps, [losses[step] for step in steps]


def smooth(values: list[float]) -> list[float]:
    """The mean of each value and those before it, SMOOTHED at most."""
    windows = [values[max(0, end - SMOOTHED) : end] for end in range(1, len(values) + 1)]
    return [sum(window) / len(window) for window in windows]


def loss_figure(logs: dict[str, tuple[list[int], list[float]]]) -> Figure:
    """A picture beside the other for every stage's steps and losses."""
    figure = Figure(figsize=(5 * len(logs), 3.5), layout="constrained")
    axes = figure.subplots(1, len(logs), squeeze=False)[0]
    for axis, (name, (steps, losses)) in zip(axes, logs.items(), strict=True):
        axis.plot(steps, losses, color="tab:blue", alpha=0.25)
        axis.plot(steps, smooth(losses), color="tab:blue", marker="." if len(steps) < SMOOTHED else "")
        axis.set(title=name, xlabel="step", ylabel="loss", yscale="log")
    return figure


def plot_losses(folder: Path) -> None:
    """Draw every stage's log in a folder to losses.png; does nothing where none was logged yet."""
    paths = [path for path in (folder / f"{stage}.jsonl" for stage in STAGES) if path.is_file()]
    logs = {path.stem: read_log(path) for path in paths}
    logs = {name: log for name, log in logs.items() if log[0]}
    if not logs:
        return
    temporary = folder / ".losses.png"
    loss_figure(logs).savefig(temporary, format="png", dpi=100)
    temporary.replace(folder / "losses.png")
