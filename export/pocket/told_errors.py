"""Errors of the training commands as one line."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import typer

from vidrt.engine.errors import Error


@contextlib.contextmanager
def told_errors() -> Iterator[None]:
    """Print what a user can mend and exit with 1; what is a fault of the program stays a traceback."""
    try:
        yield
    except (Error, OSError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error
