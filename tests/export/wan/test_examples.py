"""A Wan bundle in C++ and C, without Python: the same bytes as Python's, which are diffusers' frames."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import vidrt

PROMPT = "a red circle moves  left&#44; slowly"
SEED = 11


@pytest.fixture
def small_bundle(wan_toy: Any, tmp_path: Path) -> Path:
    """The toy's bundle with defaults that are quick: the example programs take no sizes."""
    folder = Path(shutil.copytree(wan_toy.bundle, tmp_path / "bundle"))
    manifest = json.loads((folder / "manifest.json").read_text())
    side = 2 * wan_toy.pipeline.vae.config.scale_factor_spatial
    frames = 1 + 2 * wan_toy.pipeline.vae.config.scale_factor_temporal
    manifest["defaults"] |= {"height": side, "width": 2 * side, "num_frames": frames, "num_inference_steps": 2}
    assert manifest["defaults"]["guidance_scale"] > 1
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def test_python_cpp_and_c_give_the_same_bytes(
    small_bundle: Path, run_example: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    frames = vidrt.TextToVideoPipeline(small_bundle)(PROMPT, seed=SEED).frames
    assert frames.std() > 5, "a picture, not one grey"
    for language in ("cpp", "c"):
        output = tmp_path / f"{language}.rgb"
        done = run_example(language, small_bundle, PROMPT, output, str(SEED))
        assert done.returncode == 0, done.stderr
        assert output.read_bytes() == frames.tobytes(), language
