"""JSON for machines, and what several commands say."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from vidrt.engine.plan import PlannedTiles


def print_json(value: Mapping[str, Any]) -> None:
    """Print one JSON object to stdout."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def described_tiles(tiles: PlannedTiles) -> str:
    """The tiles of a plan that has several, in one line."""
    grid = f"{tiles.rows}x{tiles.columns} tiles of {tiles.width}x{tiles.height}"
    return f"frames decoded in {grid} that overlap by {tiles.overlap_width}x{tiles.overlap_height} or more"
