"""Frames of the core against the networks in PyTorch with diffusers' scheduler: same latents, same rounded weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import vidrt
from vidrt.export.pocket.checkpoint import Networks, bundle_networks
from vidrt.export.pocket.config import SPATIAL_RATIO, TEMPORAL_RATIO, PocketConfig
from vidrt.export.pocket.reference import ReferencePipeline

PROMPT = "a small red circle moving left"
TOLERANCE = 1e-3  # of levels from 0 to 1, in fp32
SETTINGS = [
    pytest.param(64, 64, 17, 20, 3.0, id="the default"),
    pytest.param(64, 64, 17, 8, 1.0, id="without guidance"),
    pytest.param(32, 48, 33, 6, 3.0, id="another size and length"),
    pytest.param(48, 32, 1, 4, 5.0, id="one frame"),
]


def check(folder: Path, networks: Networks, setting: tuple[int, int, int, int, float]) -> None:
    height, width, num_frames, steps, guidance = setting
    bundle = vidrt.Bundle(folder)
    shape = (
        networks.config.vae.latent_channels,
        (num_frames - 1) // TEMPORAL_RATIO + 1,
        height // SPATIAL_RATIO,
        width // SPATIAL_RATIO,
    )
    latents = np.random.default_rng(5).standard_normal(shape, dtype=np.float32)
    options: dict[str, Any] = {
        "num_inference_steps": steps,
        "guidance_scale": guidance,
        "latents": latents,
        "output_type": "float32",
    }
    pipe = vidrt.TextToVideoPipeline(bundle, threads=1)
    got = pipe(PROMPT, height=height, width=width, num_frames=num_frames, on_warning=lambda _: None, **options).frames
    reference = ReferencePipeline(networks, bundle)
    embeds, mask = reference.encode(PROMPT)
    expected = reference.decode_floats(
        reference.denoise(torch.from_numpy(latents).unsqueeze(0), embeds, mask, steps, guidance)
    )
    assert got.shape == expected.shape
    assert expected.std() > 0.004, "a flat clip would prove nothing"
    np.testing.assert_allclose(got, expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize(("height", "width", "num_frames", "steps", "guidance"), SETTINGS)
def test_the_shipped_model_gives_pytorchs_frames(
    pocket_bundle: Path, height: int, width: int, num_frames: int, steps: int, guidance: float
) -> None:
    check(pocket_bundle, bundle_networks(pocket_bundle, PocketConfig()), (height, width, num_frames, steps, guidance))


def test_a_toy_with_random_weights_gives_pytorchs_frames(toy_bundle: Any) -> None:
    networks = toy_bundle.networks
    for network in networks.named().values():
        for tensor in network.state_dict().values():
            tensor.copy_(tensor.half().float())
    check(toy_bundle.path, networks, (64, 64, 17, 6, 2.0))
