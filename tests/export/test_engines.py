"""Engines of what the exporter writes, built by TensorRT for RTX without a GPU, and TensorRT's own parser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any


def test_engines_of_toy_pocket_are_built(toy_bundle: Any, check_engines: Callable[..., None]) -> None:
    check_engines(toy_bundle.path, ["fp16", "fp32"])


def test_graphs_of_toy_pocket_parse_in_tensorrt(toy_bundle: Any, check_parsing: Callable[[Path], None]) -> None:
    check_parsing(toy_bundle.path)


def test_graphs_of_a_framewise_decoder_parse_in_tensorrt(
    low_miniature_bundle: Path, check_parsing: Callable[[Path], None]
) -> None:
    check_parsing(low_miniature_bundle)


def test_engines_of_a_framewise_decoder_are_built(
    low_miniature_bundle: Path, check_engines: Callable[..., None]
) -> None:
    check_engines(low_miniature_bundle, ["bf16", "fp16", "fp32"])
