"""Engines of the UNet's graphs, built by TensorRT for RTX, which needs no GPU for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from vidrt.engine.builder import Range


@pytest.mark.slow
@pytest.mark.parametrize("unet3d_toy", ["shallow"], indirect=True)
def test_engines_are_built(unet3d_toy: Any, check_engines: Callable[..., None]) -> None:
    side = Range(8, 16, 32)
    check_engines(unet3d_toy.bundle, ["fp16", "fp32"], height=side, width=side, num_frames=Range(1, 4, 8))
