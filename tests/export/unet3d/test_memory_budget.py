"""Under a memory budget large kernels are read in every run, and the frames stay what they were."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vidrt
from vidrt.engine.options import GenerateOptions
from vidrt.export.exporter import export_bundle
from vidrt.export.models.unet3d import load
from vidrt.export.options import ExportOptions
from vidrt.export.registry import ModelSource

OPTIONS = GenerateOptions(
    "a red circle", height=16, width=24, num_frames=3, num_inference_steps=2, seed=5, output_type="float32"
)


@pytest.fixture(scope="module", params=["fp32", "fp16"])
def bundle(
    request: pytest.FixtureRequest,
    unet3d_folder: Callable[[str], tuple[Any, Path]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A toy with kernels of more than 1 MiB, stored in a type."""
    _, folder = unet3d_folder("wide")
    made = tmp_path_factory.mktemp("wide") / "bundle"
    export_bundle(load(ModelSource(folder)), made, ExportOptions(storage=request.param))
    return made


def least_budget(bundle: Path) -> int:
    """In bytes, as the refusal of a budget that is too small names it."""
    with pytest.raises(vidrt.OutOfMemory, match=r"give a memory_budget of \d+ or more") as refused:
        vidrt.TextToVideoPipeline(bundle, memory_budget=1).plan(OPTIONS)
    return int(re.findall(r"memory_budget of (\d+)", str(refused.value))[0])


def test_frames_are_the_same_in_the_least_memory(bundle: Path) -> None:
    roomy = vidrt.TextToVideoPipeline(bundle)
    tight = vidrt.TextToVideoPipeline(bundle, memory_budget=least_budget(bundle))
    plan = tight.plan(OPTIONS)
    assert plan.residency == "stream"
    (denoiser,) = [module for module in plan.modules if module.name == "denoiser"]
    # The rest are matrices and small kernels, which are held as float32 where those of 3x3 are read as they are stored.
    assert denoiser.streamed_bytes > denoiser.weight_bytes / 3
    frames = tight.generate(OPTIONS).frames
    expected = roomy.generate(OPTIONS).frames
    assert expected.std() > 0.02  # a picture, not one grey
    np.testing.assert_allclose(frames, expected, rtol=0, atol=1e-5)
