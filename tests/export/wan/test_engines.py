"""Engines of Wan's graphs, built by TensorRT for RTX, which needs no GPU for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from vidrt.engine.builder import Range


def test_engines_are_built(wan_toy: Any, check_engines: Callable[..., None]) -> None:
    ratio = wan_toy.pipeline.vae.config.scale_factor_spatial * 2
    side = Range(ratio, 2 * ratio, 4 * ratio)
    frames = wan_toy.pipeline.vae.config.scale_factor_temporal
    check_engines(
        wan_toy.bundle,
        ["fp16", "fp32"],
        height=side,
        width=side,
        num_frames=Range(1, 1 + frames, 1 + 4 * frames),
    )


def test_graphs_parse_in_tensorrt(wan_toy: Any, check_parsing: Callable[[Path], None]) -> None:
    check_parsing(wan_toy.bundle)
