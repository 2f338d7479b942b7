"""Values of options, checked for type and range."""

from __future__ import annotations

import math
import operator

from vidrt.engine.errors import InvalidArgument

INT32_MAX = 2**31 - 1


def what(value: object) -> str:
    """A value as messages show it."""
    return f"{value!r} ({type(value).__name__})" if isinstance(value, (str, int, float)) else type(value).__name__


def text(name: str, value: object) -> str:
    """Text that the core can take. Raises InvalidArgument."""
    if not isinstance(value, str):
        raise InvalidArgument(f"{name} must be a string, got {what(value)}.")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidArgument(f"{name} must be text that UTF-8 can hold, got {value!r}.") from None
    return value


def integer(name: str, value: object, low: int, high: int) -> int:
    """An integer from low to high, both inclusive. Raises InvalidArgument."""
    # bool is an int to Python and a mistake to us; NumPy's integers are fine.
    try:
        if isinstance(value, bool):
            raise TypeError
        found = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise InvalidArgument(f"{name} must be an integer, got {what(value)}.") from None
    if not low <= found <= high:
        raise InvalidArgument(f"{name} must be {low} to {high}, got {found}.")
    return found


def number(name: str, value: object) -> float:
    """A finite number. Raises InvalidArgument."""
    if isinstance(value, (bool, str)) or not hasattr(value, "__float__"):
        raise InvalidArgument(f"{name} must be a number, got {what(value)}.")
    found = float(value)
    if not math.isfinite(found):
        raise InvalidArgument(f"{name} must be finite, got {found}.")
    return found
