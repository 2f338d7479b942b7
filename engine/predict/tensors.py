"""What is known of a tensor of a graph at concrete sizes."""

from __future__ import annotations

import math
from dataclasses import dataclass

ITEM_BYTES = {
    "float32": 4,
    "float16": 2,
    "bfloat16": 2,
    "float64": 8,
    "int64": 8,
    "int32": 4,
    "int16": 2,
    "int8": 1,
    "uint8": 1,
    "bool": 1,
}
"""Bytes of an element, by the manifest's names of types."""


@dataclass(frozen=True)
class Tensor:
    """One tensor.

    Attributes:
        shape: Concrete.
        dtype: A key of ITEM_BYTES.
        constant: It depends on weights and sizes alone: computed when the module is loaded, not in every run.
    """

    shape: tuple[int, ...]
    dtype: str
    constant: bool = False

    @property
    def elements(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        """What it takes."""
        return self.elements * ITEM_BYTES[self.dtype]
