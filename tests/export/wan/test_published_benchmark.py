"""benchmarks/wan_published.py measures what it says: one block's run, in a process of its own, beside the formula."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "benchmarks" / "wan_published.py"


def _block(toy: Any, latents: list[int]) -> dict[str, Any]:
    request = {"task": "block", "folder": str(toy.folder), "bundle": str(toy.bundle), "latents": latents}
    command = [sys.executable, str(SCRIPT), "--child", json.dumps(request)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@pytest.mark.parametrize("wan_toy", ["shallow"], indirect=True)
def test_a_blocks_memory_is_linear_in_its_tokens_and_far_from_all_scores(wan_toy: Any) -> None:
    few, many = _block(wan_toy, [3, 64, 64]), _block(wan_toy, [12, 64, 64])
    assert (few["tokens"], many["tokens"]) == (3 * 32 * 32, 12 * 32 * 32)
    # B = 1, D = 5 heads of 6, F = 48.
    assert many["bound_mib"] == pytest.approx(4 * 12288 * (4 * 30 + 3 * 48) / 2**20)
    assert many["scores_mib"] == pytest.approx(4 * 12288**2 * 5 / 2**20)
    assert 3 < few["run_mib"] < many["run_mib"] < 6 * few["run_mib"]
    assert many["run_mib"] < many["scores_mib"] / 10
