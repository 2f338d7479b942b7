"""JSON for machines."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def print_json(value: Mapping[str, Any]) -> None:
    """Print one JSON object to stdout."""
    print(json.dumps(value, indent=2, ensure_ascii=False))
