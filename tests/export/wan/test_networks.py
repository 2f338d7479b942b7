"""The modules in PyTorch against diffusers' classes: the same numbers from the same weights."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import UMT5Config, UMT5EncoderModel

from vidrt.export.wan.clip_layout import CACHE_FRAMES, ChannelsFirst, ClipLayout, FramesFirst
from vidrt.export.wan.denoiser import WanDenoiser
from vidrt.export.wan.operators import PlainOperators
from vidrt.export.wan.text_encoder import WanTextEncoder
from vidrt.export.wan.vae_decoder import WanVaeDecoder, cache_specs
from vidrt.export.wan.vae_encoder import WanVaeEncoder

TOLERANCE = 2e-5


def _assert_close(got: torch.Tensor, expected: torch.Tensor) -> None:
    assert got.shape == expected.shape
    assert float((got - expected).abs().max()) < TOLERANCE


def test_a_timestep_for_each_latent_frame_is_one_for_each_of_its_tokens(wan_networks: Any) -> None:
    transformer, _ = wan_networks
    torch.manual_seed(0)
    latents, text = torch.randn(2, 4, 3, 6, 8), torch.randn(2, 7, 32)
    timestep = torch.tensor([[0.0, 500.0, 500.0], [0.0, 20.0, 999.0]])
    of_tokens = timestep.unsqueeze(2).expand(-1, -1, 3 * 4).flatten(1)
    got = WanDenoiser(transformer, PlainOperators())(latents, timestep, text)
    _assert_close(got, transformer(latents, of_tokens, text, return_dict=False)[0])


def test_one_timestep_for_all_frames_is_one_for_the_sample(wan_networks: Any) -> None:
    transformer, _ = wan_networks
    torch.manual_seed(1)
    latents, text, timestep = torch.randn(2, 4, 2, 2, 10), torch.randn(2, 5, 32), torch.tensor([700.0, 3.0])
    got = WanDenoiser(transformer, PlainOperators())(latents, timestep.unsqueeze(1).expand(-1, 2), text)
    _assert_close(got, transformer(latents, timestep, text, return_dict=False)[0])


def test_equal_rows_of_text_may_be_given_once_with_their_count(wan_networks: Any) -> None:
    transformer, _ = wan_networks
    torch.manual_seed(3)
    latents, timestep = torch.randn(2, 4, 2, 4, 6), torch.full((2, 2), 700.0)
    text = torch.randn(2, 12, 32)
    text[0, 5:] = text[0, 5]
    text[1, 2:] = 0.0
    # The second prompt has three rows, and is filled up with ones that stand for none.
    counts = torch.tensor([[1.0, 1, 1, 1, 1, 7], [1, 1, 10, 0, 0, 0]])
    once = text[:, :6].clone()
    once[1, 3:] = torch.randn(3, 32)
    denoiser = WanDenoiser(transformer, PlainOperators())
    _assert_close(denoiser(latents, timestep, once, counts), denoiser(latents, timestep, text))


def test_the_text_encoder_is_that_of_transformers_with_zeros_after_the_prompt() -> None:
    sizes = {"vocab_size": 512, "d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 3, "num_heads": 4}
    with torch.random.fork_rng():
        torch.manual_seed(7)
        model = UMT5EncoderModel(UMT5Config(feed_forward_proj="gated-gelu", **sizes)).eval().requires_grad_(False)
        ids = torch.randint(0, 512, (3, 150))
    attention_mask = torch.ones_like(ids)
    attention_mask[0, 9:] = attention_mask[1, 1:] = 0
    got = WanTextEncoder(model)(ids, attention_mask)
    _assert_close(got, model(ids, attention_mask).last_hidden_state * attention_mask.unsqueeze(-1))


@pytest.mark.parametrize("layout", [ChannelsFirst(), FramesFirst()], ids=lambda layout: type(layout).__name__)
@pytest.mark.parametrize("chunks", [(1, 1, 1, 1), (4,), (3, 1), (1, 3)])
def test_steps_of_any_size_give_the_whole_clip(wan_networks: Any, layout: ClipLayout, chunks: tuple[int, ...]) -> None:
    _, vae = wan_networks
    torch.manual_seed(2)
    latents = torch.randn(2, 4, 5, 4, 6)
    decoder = WanVaeDecoder(vae)
    expected = vae.decode(latents * decoder.std + decoder.mean, return_dict=False)[0]
    frames, caches = decoder.step(latents[:, :, :1], None, layout)
    made, done = [frames], 1
    for count in chunks:
        frames, caches = decoder.step(latents[:, :, done : done + count], caches, layout)
        made.append(frames)
        done += count
    _assert_close(torch.cat(made, dim=2), expected)
    declared = [(cache.channels, cache.frames, 4 * cache.scale, 6 * cache.scale) for cache in cache_specs(vae)]
    assert [tuple(cache.shape[1:]) for cache in caches] == declared
    assert {cache.frames for cache in cache_specs(vae)} == {CACHE_FRAMES}


def test_the_encoder_gives_the_mode_of_one_frame_in_the_denoisers_space(wan_networks: Any) -> None:
    _, vae = wan_networks
    torch.manual_seed(3)
    ratio = vae.config.scale_factor_spatial
    image = torch.rand(2, 3, 1, 4 * ratio, 6 * ratio) * 2 - 1
    encoder = WanVaeEncoder(vae)
    mean, std = (torch.tensor(vae.config[key]).view(1, -1, 1, 1, 1) for key in ("latents_mean", "latents_std"))
    _assert_close(encoder(image), (vae.encode(image).latent_dist.mode() - mean) / std)
