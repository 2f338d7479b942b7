"""What can go wrong in an export, in the tree of the package's errors."""

from __future__ import annotations

from vidrt.engine.errors import BundleError, InvalidArgument


class ExportError(BundleError):
    """No sound bundle can be made of this model: it cannot be traced, or its graph does not compute what it does."""


class CheckpointError(InvalidArgument):
    """Weights that cannot be read or written, or that belong to other networks or another run."""
