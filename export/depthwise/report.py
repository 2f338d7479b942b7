"""What the pass did to a graph, for people and for the manifest's makers."""

from __future__ import annotations

import dataclasses
from collections import Counter


@dataclasses.dataclass(frozen=True)
class Rewritten:
    """A convolution that is an operator of vidrt now.

    Args:
        node: The Conv's name.
        operator: "DepthwiseConv3d" or "DepthwiseSeparableConv3d".
        absorbed: What around it the operator does as well, in the order in which it does it.
    """

    node: str
    operator: str
    absorbed: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Skipped:
    """A convolution in groups that stays, and why."""

    node: str
    reason: str


@dataclasses.dataclass(frozen=True)
class Report:
    """All convolutions in groups of a graph, in its order."""

    rewritten: tuple[Rewritten, ...] = ()
    skipped: tuple[Skipped, ...] = ()

    def counts(self) -> dict[str, int]:
        """How many nodes of each operator there are."""
        return dict(sorted(Counter(item.operator for item in self.rewritten).items()))
