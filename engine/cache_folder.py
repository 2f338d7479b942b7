"""Where vidrt keeps what it can make again."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

CACHE_VARIABLE = "VIDRT_CACHE_DIR"


def cache_folder() -> Path:
    """$VIDRT_CACHE_DIR, or vidrt's folder among the user's caches."""
    chosen = os.environ.get(CACHE_VARIABLE)
    return Path(chosen) if chosen else platformdirs.user_cache_path("vidrt")
