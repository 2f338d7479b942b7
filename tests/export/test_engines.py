"""Engines of what the exporter writes, built by TensorRT for RTX, which needs no GPU for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any


def test_engines_of_toy_pocket_are_built(toy_bundle: Any, check_engines: Callable[..., None]) -> None:
    check_engines(toy_bundle.path)


def test_engines_of_a_framewise_decoder_are_built(miniature_bundle: Path, check_engines: Callable[..., None]) -> None:
    check_engines(miniature_bundle)
