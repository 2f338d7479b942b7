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


@pytest.mark.slow
def test_engines_are_built(
    unet3d_folder: Callable[[str], tuple[Any, Path]], check_engines: Callable[..., None], tmp_path: Path
) -> None:
    _, folder = unet3d_folder("shallow")
    bundle = tmp_path / "bundle"
    export_bundle(load(ModelSource(folder)), bundle, ExportOptions({EVERY_MODULE: ("fp16",)}, storage="fp32"))
    side = Range(8, 16, 32)
    check_engines(bundle, ["fp16", "fp32"], height=side, width=side, num_frames=Range(1, 4, 8))
