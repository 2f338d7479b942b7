"""`vidrt export` and `vidrt eval`: commands of the exporter's side, present where torch is."""

from __future__ import annotations

import importlib
import sys

import typer

from vidrt.engine.errors import BackendError


def export(context: typer.Context) -> None:
    """Export a PyTorch model to a bundle (needs the extra `export`). See `vidrt export --help`."""
    _run("export", "vidrt.export.cli", context)


def evaluate(context: typer.Context) -> None:
    """Count how often a pocket bundle does what prompts say (needs the extra `export`). See `vidrt eval --help`."""
    _run("eval", "vidrt.export.pocket.evaluation.cli", context)


def _run(command: str, module: str, context: typer.Context) -> None:
    try:
        implementation = importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise BackendError(
            f"vidrt {command} needs {error.name}, which is not installed; run `pip install 'vidrt[export]'`."
        ) from error
    sys.exit(implementation.main(context.args))
