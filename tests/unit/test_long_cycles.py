"""Hours of use in a minute or two: many generations and cancels on the real backend leave no trace in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import vidrt

CYCLES = 1000
WARM = 200


def anonymous_kib() -> int:
    """What the process holds that is no file's."""
    lines = Path("/proc/self/smaps_rollup").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Anonymous:"))


@pytest.mark.slow
def test_a_thousand_generations_and_cancels_do_not_grow_memory(
    pocket_bundle: Path, tiny: dict[str, Any], unwarned: dict[str, Any]
) -> None:
    pipe = vidrt.TextToVideoPipeline(pocket_bundle, threads=1)
    warm = 0
    for cycle in range(CYCLES):
        cancel = vidrt.CancelToken()
        stop_after = cycle % 4

        def on_step(event: Any, cancel: Any = cancel, stop_after: int = stop_after) -> None:
            if event.step + 1 == stop_after:
                cancel.cancel()

        try:
            pipe("a red circle", on_step=on_step, cancel=cancel, **{**tiny, **unwarned})
        except vidrt.Cancelled:
            assert stop_after in (1, 2)
        if cycle == WARM:
            warm = anonymous_kib()
    assert anonymous_kib() - warm < 4096


@pytest.mark.slow
def test_a_hundred_pipelines_opened_and_closed_do_not_grow_memory(
    pocket_bundle: Path, tiny: dict[str, Any], unwarned: dict[str, Any]
) -> None:
    warm = 0
    for cycle in range(100):
        vidrt.TextToVideoPipeline(pocket_bundle, threads=1)("a red circle", **{**tiny, **unwarned})
        if cycle == 30:
            warm = anonymous_kib()
    assert anonymous_kib() - warm < 8192
