"""Families by name: what `vidrt export` can make a bundle of."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable, Collection
from pathlib import Path

from vidrt.engine.errors import InvalidArgument
from vidrt.export.spec import BundleSpec


@dataclasses.dataclass(frozen=True)
class ModelSource:
    """Where a family's weights come from: a checkpoint, or else a seed for random ones.

    Args:
        checkpoint: A file or folder in the family's own format.
        seed: Of the random weights where there is no checkpoint.
        preset: One of the family's configurations; None leaves the choice to the family.
        weights_variant: A word in the names of a checkpoint folder's files of weights, as fp16.
    """

    checkpoint: Path | None = None
    seed: int = 0
    preset: str | None = None
    weights_variant: str | None = None


@dataclasses.dataclass(frozen=True)
class Family:
    """A kind of model.

    Args:
        name: What the command line and the manifest call it.
        summary: One line for people.
        load: Makes the declaration of a bundle from a source of weights.
        presets: Names of its configurations, where it has several.
    """

    name: str
    summary: str
    load: Callable[[ModelSource], BundleSpec]
    presets: Collection[str] = ()

    def check_preset(self, preset: str | None) -> None:
        """Raise InvalidArgument when there is no such preset."""
        if preset is not None and preset not in self.presets:
            expected = f"expected one of: {', '.join(self.presets)}" if self.presets else "it has none"
            raise InvalidArgument(f"the model family {self.name!r} has no preset {preset!r}; {expected}.")


_MODULES = {name: f"vidrt.export.models.{name}" for name in ("pocket", "turbo_vaed", "unet3d", "wan")}
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
