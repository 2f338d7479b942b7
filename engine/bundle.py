"""A typed view of an opened bundle. The core's reader has checked all of it; there is no second validator here."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from vidrt import _core
from vidrt.engine.errors import BundleError

BUNDLE_VARIABLE = "VIDRT_BUNDLE"


class Bundle:
    """A bundle folder: manifest, graphs, weights, tokenizer, scheduler config (docs/bundle.md).

    Args:
        path: The folder that holds manifest.json.

    Raises:
        BundleError: If anything about it is missing, damaged, hostile or of a schema this version does not read.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._core = _core.Bundle.open(path)

    @property
    def core(self) -> _core.Bundle:
        """What the compiled core has read; for vidrt itself."""
        return self._core

    @property
    def path(self) -> Path:
        """The folder."""
        return Path(self._core.path)

    @property
    def manifest(self) -> _core.Manifest:
        """The checked manifest."""
        return self._core.manifest

    @property
    def name(self) -> str:
        """The manifest's name."""
        return self.manifest.name

    @property
    def modules(self) -> Mapping[str, _core.Module]:
        """Modules by name, each with its variants in order of preference."""
        return self.manifest.modules

    @cached_property
    def tokenizer(self) -> _core.Tokenizer:
        """The bundle's tokenizer. Raises BundleError when its files are damaged."""
        return _core.Tokenizer(self._core)

    def resolve(self, relative: str) -> Path:
        """Absolute path of a file that the manifest names."""
        return Path(self._core.resolve(relative))

    def operators(self, variant: _core.Variant) -> dict[str, int]:
        """Count the nodes of a variant's graph by operator, as "Conv" or "vidrt::DepthwiseConv3d"."""
        return self._core.operators(variant)

    def verify(self) -> None:
        """Hash every weight file. Raises BundleError naming the first that differs."""
        self._core.verify_weights()

    def to_dict(self) -> dict[str, Any]:
        """The manifest as it lies on disk."""
        manifest: dict[str, Any] = json.loads(self._core.manifest_json)
        return manifest

    def __repr__(self) -> str:
        return f"Bundle({str(self.path)!r}, name={self.name!r}, modules={sorted(self.modules)})"


def default_bundle() -> Path:
    """Find the bundle a command uses when it is given none.

    `VIDRT_BUNDLE` names it; else it is the pocket bundle of the source tree this package was built from.

    Raises:
        BundleError: If there is none, saying where it was looked for.
    """
    named = os.environ.get(BUNDLE_VARIABLE)
    if named:
        return Path(named)
    shipped = Path(__file__).resolve().parent.parent / "models" / "pocket"
    if (shipped / "manifest.json").is_file():
        return shipped
    raise BundleError(
        f"no bundle given, and none found: {BUNDLE_VARIABLE} is not set and {shipped} has no manifest.json. "
        "Name one with --bundle FOLDER."
    )
