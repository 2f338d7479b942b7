"""The command `vidrt`."""

from vidrt.engine.cli.app import app, main

__all__ = ["app", "main"]
