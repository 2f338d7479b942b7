"""A report that can be posted: the user's home folder is `~` in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


def without_home(home: Path | None = None) -> Callable[[Any], Any]:
    """A function that shortens the home folder in all texts of a plain value.

    Args:
        home: The folder; None is the user's.
    """
    try:
        folder = str(home or Path.home()).rstrip("/")
    except RuntimeError:  # a user without a home
        folder = ""
    if not folder:
        return lambda value: value
    pattern = re.compile(rf"(?<![\w./~-]){re.escape(folder)}(?![\w-]|\.\w)")

    def shorten(value: Any) -> Any:
        if isinstance(value, str):
            return pattern.sub("~", value)
        if isinstance(value, Mapping):
            return {name: shorten(inner) for name, inner in value.items()}
        if isinstance(value, list | tuple):
            return [shorten(inner) for inner in value]
        return value

    return shorten
