"""Figures as PNG files. Needs matplotlib, which nothing else of the engine does."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from vidrt.engine.errors import BackendError
from vidrt.engine.writers.staging import write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, in inches.

    Raises:
        BackendError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise BackendError(
            f"plots need {error.name}, which is not installed; run `pip install 'vidrt[plots]'`."
        ) from error
    return Figure(figsize=(width, height), layout="constrained")


def save_figure(figure: Figure, path: Path) -> None:
    """Replace a PNG file. Raises IoError."""
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=120)
    write_whole(path, png.getvalue())


def plain(text: str) -> str:
    """Text as it is: matplotlib reads what stands between dollars as formulas, and fails on those that are none."""
    return text.replace("$", "\\$")
