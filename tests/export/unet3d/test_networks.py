"""The modules in PyTorch against diffusers' and transformers' classes: the same numbers from the same weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from vidrt.export.unet3d.denoiser import Unet3dDenoiser
from vidrt.export.unet3d.text_encoder import ClipTextEncoder
from vidrt.export.unet3d.vae_decoder import FramewiseDecoder
from vidrt.export.unet3d.vae_encoder import FramewiseEncoder

TOLERANCE = 2e-5


@pytest.fixture(params=["modelscope", "shallow"])
def pipeline(request: pytest.FixtureRequest, unet3d_folder: Callable[[str], tuple[Any, Path]]) -> Any:
    return unet3d_folder(request.param)[0]


def _assert_close(got: torch.Tensor, expected: torch.Tensor) -> None:
    assert got.shape == expected.shape
    assert float((got - expected).abs().max()) < TOLERANCE


@pytest.mark.parametrize(("height", "width"), [(8, 16), (5, 7), (1, 2)])
def test_the_denoiser_reads_the_timestep_of_the_first_frame(pipeline: Any, height: int, width: int) -> None:
    torch.manual_seed(0)
    latents, text = torch.randn(2, 4, 3, height, width), torch.randn(2, 6, 32)
    timestep = torch.tensor([[700.0, 1.0, 2.0], [3.0, 4.0, 5.0]])
    got = Unet3dDenoiser(pipeline.unet)(latents, timestep, text)
    _assert_close(got, pipeline.unet(latents, timestep[:, 0], text, return_dict=False)[0])


def test_the_decoder_takes_latents_of_the_denoisers_space_and_clamps(pipeline: Any) -> None:
    torch.manual_seed(1)
    latents = torch.randn(2, 4, 3, 4, 5)
    _assert_close(FramewiseDecoder(pipeline.vae)(latents), pipeline.decode_latents(latents).clamp(-1.0, 1.0))


def test_the_text_encoder_hides_padding_only_where_its_configuration_says_so(pipeline: Any) -> None:
    ids = torch.randint(0, 400, (2, 9), generator=torch.Generator().manual_seed(2))
    mask = torch.tensor([[1] * 9, [1] * 4 + [0] * 5])
    masks_padding = getattr(pipeline.text_encoder.config, "use_attention_mask", False)
    got = ClipTextEncoder(pipeline.text_encoder, masks_padding=masks_padding)(ids, mask)
    given = mask if masks_padding else None
    _assert_close(got, pipeline.text_encoder(ids, attention_mask=given).last_hidden_state)


def test_the_encoder_gives_the_mode_of_each_frame_in_the_denoisers_space(pipeline: Any) -> None:
    ratio = pipeline.vae_scale_factor
    image = torch.rand((2, 3, 1, 3 * ratio, 5 * ratio), generator=torch.Generator().manual_seed(3)) * 2.0 - 1.0
    mode = pipeline.vae.encode(image[:, :, 0]).latent_dist.mode()
    _assert_close(FramewiseEncoder(pipeline.vae)(image), mode[:, :, None] * pipeline.vae.config.scaling_factor)
