"""Engines of the UNet's graphs, built by TensorRT for RTX, which needs no GPU for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vidrt.engine.builder import Range
from vidrt.engine.precision import EVERY_MODULE
from vidrt.export.exporter import export_bundle
from vidrt.export.models.unet3d import load
from vidrt.export.options import ExportOptions
from vidrt.export.registry import ModelSource

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def bundle(unet3d_folder: Callable[[str], tuple[Any, Path]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy with graphs in fp16 as well."""
    _, folder = unet3d_folder("shallow")
    made = tmp_path_factory.mktemp("unet3d") / "bundle"
    export_bundle(load(ModelSource(folder)), made, ExportOptions({EVERY_MODULE: ("fp16",)}, storage="fp32"))
    return made


def test_engines_are_built(bundle: Path, check_engines: Callable[..., None]) -> None:
    side = Range(8, 16, 32)
    check_engines(bundle, ["fp16", "fp32"], height=side, width=side, num_frames=Range(1, 4, 8))


def test_graphs_parse_in_tensorrt(bundle: Path, check_parsing: Callable[[Path], None]) -> None:
    check_parsing(bundle)
