"""What the encoder of a guide image takes is measured like the other modules, in processes of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import vidrt


def _probe(bundle: Path, stage: str, embeds: Path) -> dict[str, Any]:
    request = {
        "bundle": str(bundle),
        "embeds": str(embeds),
        "backend": "onnxruntime",
        "threads": 1,
        "variant": None,
        "stage": stage,
        "height": 64,
        "width": 96,
        "num_frames": 1,
    }
    command = [sys.executable, "-m", "vidrt.engine.activations.probe", json.dumps(request)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(result.stdout)
    return found


@pytest.mark.parametrize("wan_toy", ["wan2.2"], indirect=True)
def test_an_image_is_encoded_and_its_encoder_measured(wan_toy: Any, tmp_path: Path) -> None:
    embeds = tmp_path / "prompt.safetensors"
    vidrt.TextToVideoPipeline(wan_toy.bundle).encode_prompt("a red circle").save(embeds)
    assert "vae_encoder" in _probe(wan_toy.bundle, "load", embeds)
    (row,) = _probe(wan_toy.bundle, "encode_image", embeds).values()
    assert row["activation_bytes"] > 64 * 96 * 3 * 4  # more than the image itself
    assert row["terms"][1] == 4 * 6  # latents of a frame, which are sixteen times smaller a side
