"""Comparisons with PyTorch, each made once: most of an export's time goes into them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

from vidrt.export.parity import Parity


class Comparisons:
    """What was measured of graphs, also before an export was interrupted.

    Args:
        folder: Where it is recorded; made when there is something to record. None records nothing.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def of(self, sha256: str, measure: Callable[[], Parity]) -> Parity:
        """What was measured of a graph; it is measured now where it was not before.

        Args:
            sha256: Of the graph's file. It names the file of its weights by that file's content, so that equal graphs
                compute the same.
            measure: Compares it.

        Raises:
            ExportError: As `measure` does.
            OSError: The disk refuses.
        """
        if self._folder is None:
            return measure()
        record = self._folder / f"{sha256}.json"
        try:
            return Parity(**json.loads(record.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):  # there is none, or it is damaged
            pass
        measured = measure()
        self._folder.mkdir(exist_ok=True)
        unnamed = record.with_suffix(".new")
        unnamed.write_text(json.dumps(dataclasses.asdict(measured)), encoding="utf-8")
        unnamed.replace(record)
        return measured
