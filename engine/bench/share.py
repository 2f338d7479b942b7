"""Shares with their uncertainty: so many of so many."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import ConfigDict, Field, model_validator
from pydantic.dataclasses import dataclass

Z = 1.959964
"""Two-sided 95 % of the normal distribution."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid", strict=True))
class Share:
    """So many of so many."""

    hits: Annotated[int, Field(ge=0)]
    count: Annotated[int, Field(ge=0)]

    @model_validator(mode="after")
    def _is_a_part(self) -> Share:
        if self.hits > self.count:
            raise ValueError(f"{self.hits} of {self.count} is more than all")
        return self

    @property
    def value(self) -> float:
        """From 0 to 1; not a number of nothing."""
        return self.hits / self.count if self.count else float("nan")

    def interval(self) -> tuple[float, float]:
        """The 95 % interval of Wilson (1927), which holds near 0 and 1 as well."""
        if self.count == 0:
            return 0.0, 1.0
        n, p = self.count, self.value
        centre = (p + Z * Z / (2 * n)) / (1 + Z * Z / n)
        half = Z / (1 + Z * Z / n) * math.sqrt(p * (1 - p) / n + Z * Z / (4 * n * n))
        return max(0.0, centre - half), min(1.0, centre + half)

    def __str__(self) -> str:
        if self.count == 0:
            return "–"
        low, high = self.interval()
        return f"{100 * self.value:.1f} % ({100 * low:.1f}–{100 * high:.1f})"


def difference_interval(a: Share, b: Share) -> tuple[float, float]:
    """The 95 % interval of b's value less a's, from -1 to 1: Newcombe (1998), method 10, of both Wilson intervals.

    It takes the shares as independent. Where both were asked the same it is wider than it need be.
    """
    (low_a, high_a), (low_b, high_b) = a.interval(), b.interval()
    difference = b.value - a.value
    low = difference - math.hypot(b.value - low_b, high_a - a.value)
    high = difference + math.hypot(high_b - b.value, a.value - low_a)
    return low, high
