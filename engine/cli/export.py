"""`vidrt export`: the exporter's own command line, present where torch is."""

from __future__ import annotations

import importlib
import sys

import typer

from vidrt.engine.errors import BackendError


def export(context: typer.Context) -> None:
    """Export a PyTorch model to a bundle (needs the extra `export`). See `vidrt export --help`."""
    try:
        exporter = importlib.import_module("vidrt.export.cli")
    except ModuleNotFoundError as error:
        raise BackendError(
            f"vidrt export needs {error.name}, which is not installed; run `pip install 'vidrt[export]'`."
        ) from error
    sys.exit(exporter.main(context.args))
