"""Shares with their uncertainty."""

from __future__ import annotations

import dataclasses
import math

Z = 1.959964
"""Two-sided 95 % of the normal distribution."""


@dataclasses.dataclass(frozen=True)
class Share:
    """So many of so many."""

    hits: int
    count: int

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
