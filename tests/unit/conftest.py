"""Fixtures of several files, and the folder's helpers for import."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from doctor_machine import around

__all__ = ["around"]
