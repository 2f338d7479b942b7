"""Frames of the core against the networks in PyTorch with diffusers' scheduler: same latents, same rounded weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from safetensors.torch import load_file

import vidrt
from vidrt.export.pocket.checkpoint import Networks, random_networks
from vidrt.export.pocket.config import SPATIAL_RATIO, TEMPORAL_RATIO, PocketConfig

PROMPT = "a small red circle moving left"
CLIP_DB, FRAME_DB = 60.0, 55.0
SETTINGS = [
    pytest.param(64, 64, 17, 20, 3.0, id="the default"),
    pytest.param(64, 64, 17, 8, 1.0, id="without guidance"),
    pytest.param(32, 48, 33, 6, 3.0, id="another size and length"),
    pytest.param(48, 32, 1, 4, 5.0, id="one frame"),
]


def networks_of_bundle(folder: Path) -> Networks:
    """The shipped networks, computing in float32 with the weights as the bundle stores them."""
    (weights,) = (folder / "weights").glob("*.safetensors")
    tensors = load_file(weights)
    networks = random_networks(PocketConfig(), seed=0)
    for prefix, network in networks.named().items():
        own = {
            name.removeprefix(prefix + "."): value.float() for name, value in tensors.items() if name.startswith(prefix)
        }
        network.load_state_dict(own)
    return networks


@torch.no_grad()
def pytorch_frames(
    networks: Networks, bundle: vidrt.Bundle, latents: npt.NDArray[np.float32], steps: int, guidance: float
) -> npt.NDArray[np.uint8]:
    """What a PyTorch pipeline gives: (F,H,W,3) uint8."""
    from diffusers import FlowMatchEulerDiscreteScheduler

    length = bundle.manifest.tokenizer.max_length
    rows = [bundle.tokenizer.encode(prompt).ids for prompt in ("", PROMPT)]
    ids = torch.tensor([row + [0] * (length - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (length - len(row)) for row in rows])
    embeds = networks.text_encoder(ids, mask)
    scheduler = FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000, shift=2.0)
    scheduler.set_timesteps(steps)
    sample = torch.from_numpy(latents).unsqueeze(0)
    for timestep in scheduler.timesteps:
        times = timestep.expand(2, sample.shape[2])
        negative, positive = networks.denoiser(sample.expand(2, -1, -1, -1, -1), times, embeds, mask).chunk(2)
        velocity = negative + guidance * (positive - negative) if guidance > 1 else positive
        sample = scheduler.step(velocity, timestep, sample).prev_sample
    frames = networks.vae_decoder(sample)[0].permute(1, 2, 3, 0)
    return np.rint((frames.numpy() * 0.5 + 0.5).clip(0, 1) * 255).astype(np.uint8)


def decibels(got: npt.NDArray[np.uint8], expected: npt.NDArray[np.uint8]) -> float:
    error = np.mean((got.astype(np.float64) - expected) ** 2)
    return float("inf") if error == 0 else float(10 * np.log10(255**2 / error))


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
    options: dict[str, Any] = {"num_inference_steps": steps, "guidance_scale": guidance, "latents": latents}
    pipe = vidrt.TextToVideoPipeline(bundle, threads=1)
    got = pipe(PROMPT, height=height, width=width, num_frames=num_frames, on_warning=lambda _: None, **options).frames
    expected = pytorch_frames(networks, bundle, latents, steps, guidance)
    assert got.shape == expected.shape
    assert expected.std() > 1, "a flat clip would prove nothing"
    assert decibels(got, expected) >= CLIP_DB
    assert min(decibels(*pair) for pair in zip(got, expected, strict=True)) >= FRAME_DB


@pytest.mark.parametrize(("height", "width", "num_frames", "steps", "guidance"), SETTINGS)
def test_the_shipped_model_gives_pytorchs_frames(
    pocket_bundle: Path, height: int, width: int, num_frames: int, steps: int, guidance: float
) -> None:
    check(pocket_bundle, networks_of_bundle(pocket_bundle), (height, width, num_frames, steps, guidance))


def test_a_toy_with_random_weights_gives_pytorchs_frames(toy_bundle: Any) -> None:
    networks = toy_bundle.networks
    for network in networks.named().values():
        for tensor in network.state_dict().values():
            tensor.copy_(tensor.half().float())
    check(toy_bundle.path, networks, (64, 64, 17, 6, 2.0))
