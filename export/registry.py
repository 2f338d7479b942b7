"""Families by name: what `vidrt export` can make a bundle of."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable
from pathlib import Path

from vidrt.engine.errors import InvalidArgument
from vidrt.export.spec import BundleSpec


@dataclasses.dataclass(frozen=True)
class ModelSource:
    """Where a family's weights come from: a checkpoint, or else a seed for random ones.

    Args:
        checkpoint: A file or folder in the family's own format.
        seed: Of the random weights where there is no checkpoint.
    """

    checkpoint: Path | None = None
    seed: int = 0


@dataclasses.dataclass(frozen=True)
class Family:
    """A kind of model.

    Args:
        name: What the command line and the manifest call it.
        summary: One line for people.
        load: Makes the declaration of a bundle from a source of weights.
    """

    name: str
    summary: str
    load: Callable[[ModelSource], BundleSpec]


_MODULES = {"pocket": "vidrt.export.models.pocket"}
"""The module that defines each family, as FAMILY. Only the one asked for is imported: some need large libraries."""


def family_names() -> list[str]:
    """The names of all families, sorted."""
    return sorted(_MODULES)


def find_family(name: str) -> Family:
    """The family of a name.

    Raises:
        InvalidArgument: There is none.
    """
    if name not in _MODULES:
        raise InvalidArgument(f"no model family {name!r}; expected one of: {', '.join(family_names())}.")
    family = importlib.import_module(_MODULES[name]).FAMILY
    assert isinstance(family, Family)
    return family
