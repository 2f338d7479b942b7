"""The pocket networks: a decoder that may be cut anywhere, masks that hold, one timestep a latent frame, any size."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from vidrt.export.pocket import convolutions
from vidrt.export.pocket.checkpoint import Networks, random_networks
from vidrt.export.pocket.config import TEMPORAL_RATIO, TOY
from vidrt.export.pocket.convolutions import depthwise_conv3d, enable_training_kernel, pointwise_conv3d
from vidrt.export.pocket.denoiser import rotary_angles, rotate
from vidrt.export.pocket.layers import SeparableBlock, depth_to_space, space_to_depth
from vidrt.export.pocket.vae import FRAMES_BEFORE_FIRST, ImageEncoder, VaeDecoder, VaeEncoder

TOLERANCE = {torch.float32: 2e-5}
LATENT_FRAMES = 7


def shaken(networks: Networks) -> Networks:
    """As initialised, many weights are zero or one, and a fault could hide behind them."""
    generator = torch.Generator().manual_seed(3)
    for network in networks.named().values():
        for tensor in network.state_dict().values():
            tensor.add_(0.05 * torch.randn(tensor.shape, generator=generator))
    return networks


@pytest.fixture(scope="module")
def networks() -> Networks:
    """At toy size."""
    return shaken(random_networks(TOY, seed=1))


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def decode_in_steps(decoder: VaeDecoder, latents: Tensor, chunks: list[int]) -> Tensor:
    caches: list[Tensor | None] = [None] * len(decoder.cache_specs())
    pieces, start = [], 0
    for chunk in chunks:
        frames, after = decoder.step(latents[:, :, start : start + chunk], caches)
        caches = list(after)
        pieces.append(frames)
        start += chunk
    return torch.cat(pieces, dim=2)[:, :, FRAMES_BEFORE_FIRST:]


@settings(max_examples=25, deadline=None)
@given(cuts=st.sets(st.integers(1, LATENT_FRAMES - 1)))
def test_any_chunking_gives_the_whole_decode(networks: Networks, cuts: set[int]) -> None:
    latents = normal(2, TOY.vae.latent_channels, LATENT_FRAMES, 3, 4)
    edges = [0, *sorted(cuts), LATENT_FRAMES]
    chunks = [end - start for start, end in itertools.pairwise(edges)]
    with torch.no_grad():
        whole = networks.vae_decoder(latents)
    stepped = decode_in_steps(networks.vae_decoder, latents, chunks)
    torch.testing.assert_close(stepped, whole, rtol=0, atol=TOLERANCE[torch.float32])


@pytest.mark.parametrize("norm_first", [True, False], ids=["norm first", "depthwise first"])
def test_a_block_of_either_order_gives_in_steps_what_it_gives_at_once(norm_first: bool) -> None:
    torch.manual_seed(0)
    block = SeparableBlock(32, causal=True, norm_first=norm_first).eval()
    block.project.weight.data.normal_(generator=torch.Generator().manual_seed(1))
    x = normal(2, 32, 5, 3, 4)
    with torch.no_grad():
        first, cache = block.step(x[:, :, :2], None)
        second, _ = block.step(x[:, :, 2:], cache)
        torch.testing.assert_close(torch.cat([first, second], dim=2), block(x), rtol=0, atol=TOLERANCE[torch.float32])


def test_the_orders_of_a_block_share_their_weights_and_differ_in_what_they_compute() -> None:
    other = dataclasses.replace(TOY, denoiser=dataclasses.replace(TOY.denoiser, norm_first=False))
    first, second = (shaken(random_networks(config, seed=1)).denoiser for config in (TOY, other))
    states = first.state_dict(), second.state_dict()
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())
    inputs = (normal(1, TOY.denoiser.latent_channels, 2, 4, 4), torch.full((1, 2), 500.0), normal(1, 3, 32, seed=1),
              torch.ones(1, 3, dtype=torch.int64))  # fmt: skip
    with torch.no_grad():
        assert (first(*inputs) - second(*inputs)).abs().max() > 1e-2


def test_a_latent_frame_gives_four_frames_and_the_first_gives_one(networks: Networks) -> None:
    for count in (1, 2, 5):
        with torch.no_grad():
            frames = networks.vae_decoder(normal(1, TOY.vae.latent_channels, count, 2, 3))
        assert frames.shape == (1, 3, 1 + TEMPORAL_RATIO * (count - 1), 16, 24)
        assert frames.abs().max() <= 1


def test_an_image_is_encoded_as_the_first_frame_of_a_clip_into_the_denoisers_space(networks: Networks) -> None:
    clip = normal(2, 3, 9, 16, 24, seed=5)
    encoder = ImageEncoder(networks.vae_encoder, networks.vae_decoder)
    with torch.no_grad():
        first, whole = encoder(clip[:, :, :1]), encoder(clip)
        mode = networks.vae_encoder(clip)[0]
        torch.testing.assert_close(first, whole[:, :, :1], rtol=0, atol=TOLERANCE[torch.float32])
        torch.testing.assert_close(networks.vae_decoder.denormalise(whole), mode, rtol=0, atol=TOLERANCE[torch.float32])
    assert (whole - mode).abs().max() > 1e-2, "statistics of 0 and 1 would hide a missing normalisation"


def test_later_latents_change_no_earlier_frame(networks: Networks) -> None:
    latents = normal(1, TOY.vae.latent_channels, 4, 3, 3)
    changed = latents.clone()
    changed[:, :, 3] += 1
    with torch.no_grad():
        before, after = networks.vae_decoder(latents), networks.vae_decoder(changed)
    kept = 1 + TEMPORAL_RATIO * 2
    torch.testing.assert_close(after[:, :, :kept], before[:, :, :kept], rtol=0, atol=0)
    assert (after[:, :, kept:] - before[:, :, kept:]).abs().max() > 1e-3


def test_the_encoder_is_causal_and_gives_one_latent_frame_for_the_first_frame() -> None:
    encoder = VaeEncoder(TOY.vae).eval()
    frames = normal(1, 3, 9, 16, 16)
    changed = frames.clone()
    changed[:, :, 5:] += 1
    with torch.no_grad():
        before, after = encoder(frames)[0], encoder(changed)[0]
    assert before.shape == (1, TOY.vae.latent_channels, 3, 2, 2)
    torch.testing.assert_close(after[:, :, :2], before[:, :, :2], rtol=0, atol=0)
    assert not torch.equal(after[:, :, 2], before[:, :, 2])


def test_text_after_the_mask_is_zero_and_changes_nothing(networks: Networks) -> None:
    ids = torch.tensor([[5, 6, 7, 2]])
    padded = torch.tensor([[5, 6, 7, 2, 9, 0]])
    mask = torch.tensor([[1, 1, 1, 1, 0, 0]])
    with torch.no_grad():
        short = networks.text_encoder(ids, torch.ones_like(ids))
        long = networks.text_encoder(padded, mask)
    torch.testing.assert_close(long[:, :4], short, rtol=0, atol=TOLERANCE[torch.float32])
    assert torch.count_nonzero(long[:, 4:]) == 0


def denoise(networks: Networks, latents: Tensor, timestep: Tensor, length: int = 5, real: int = 3) -> Tensor:
    embeds = normal(1, length, TOY.text.width, seed=8)
    embeds[:, real:] = 0
    mask = torch.tensor([[1] * real + [0] * (length - real)])
    batch = latents.shape[0]
    with torch.no_grad():
        output: Tensor = networks.denoiser(latents, timestep, embeds.expand(batch, -1, -1), mask.expand(batch, -1))
    return output


def test_padding_of_the_text_does_not_reach_the_prediction(networks: Networks) -> None:
    latents, timestep = normal(1, TOY.denoiser.latent_channels, 3, 4, 4), torch.full((1, 3), 400.0)
    embeds = normal(1, 3, TOY.text.width, seed=8)
    with torch.no_grad():
        short = networks.denoiser(latents, timestep, embeds, torch.ones(1, 3, dtype=torch.int64))
        padded = torch.cat([embeds, torch.zeros(1, 4, TOY.text.width)], dim=1)
        long = networks.denoiser(latents, timestep, padded, torch.tensor([[1, 1, 1, 0, 0, 0, 0]]))
    torch.testing.assert_close(long, short, rtol=0, atol=TOLERANCE[torch.float32])


def test_every_latent_frame_has_its_own_timestep(networks: Networks) -> None:
    latents = normal(1, TOY.denoiser.latent_channels, 3, 4, 4)
    same = denoise(networks, latents, torch.full((1, 3), 400.0))
    other = denoise(networks, latents, torch.tensor([[0.0, 400.0, 400.0]]))
    change = (same - other).abs().amax(dim=(0, 1, 3, 4))
    assert change[0] > 1e-3
    assert change[0] > change[2]  # the others see it only through convolutions and attention


@pytest.mark.parametrize("size", [(1, 4, 6), (2, 6, 4), (9, 2, 8)])
def test_the_denoiser_takes_any_size_and_length(networks: Networks, size: tuple[int, int, int]) -> None:
    latents = normal(1, TOY.denoiser.latent_channels, *size)
    output = denoise(networks, latents, torch.full((1, size[0]), 10.0))
    assert output.shape == latents.shape
    assert torch.isfinite(output).all()


def test_rows_of_a_batch_do_not_see_each_other(networks: Networks) -> None:
    both = normal(2, TOY.denoiser.latent_channels, 2, 4, 4)
    timestep = torch.tensor([[900.0, 900.0], [20.0, 20.0]])
    batched = denoise(networks, both, timestep)
    for row in range(2):
        alone = denoise(networks, both[row : row + 1], timestep[row : row + 1])
        torch.testing.assert_close(batched[row : row + 1], alone, rtol=0, atol=TOLERANCE[torch.float32])


def test_depth_to_space_undoes_space_to_depth() -> None:
    x = normal(2, 3, 4, 6, 8)
    for time, space in ((1, 2), (2, 1), (2, 2), (1, 4)):
        if 6 % space == 0:
            assert torch.equal(depth_to_space(space_to_depth(x, time, space), time, space), x)
    assert torch.equal(space_to_depth(x, 2, 1)[:, 0::2], x[:, :, 0::2])  # an element's new channel is c * time + t


def test_rotary_scores_depend_on_distance_alone() -> None:
    angles = rotary_angles((4, 3, 5), 12)
    q, k = normal(1, 1, 1, 12, seed=1), normal(1, 1, 1, 12, seed=2)

    def score(first: tuple[int, int, int], second: tuple[int, int, int]) -> float:
        rows = [angles[(t * 3 + h) * 5 + w].unsqueeze(0) for t, h, w in (first, second)]
        return float((rotate(q, rows[0]) * rotate(k, rows[1])).sum())

    assert score((0, 0, 0), (1, 1, 2)) == pytest.approx(score((2, 1, 1), (3, 2, 3)), abs=1e-5)
    assert score((0, 0, 0), (1, 1, 2)) != pytest.approx(score((0, 0, 0), (1, 2, 2)), abs=1e-3)


@pytest.fixture
def training_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """The compiled operator, for one test."""
    monkeypatch.setattr(convolutions, "_native", None)
    enable_training_kernel()


def test_a_compilation_that_was_killed_does_not_block_the_next(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    left = []

    def load(name: str, sources: list[str], build_directory: str, **_: object) -> str:
        """PyTorch waits while its lock file is there, whoever made it."""
        lock = Path(build_directory) / "lock"
        assert not lock.exists()
        lock.touch()
        left.append(lock)
        return name

    monkeypatch.setenv("VIDRT_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr("torch.utils.cpp_extension.load", load)
    monkeypatch.setattr(convolutions, "_native", None)
    for _ in range(2):
        enable_training_kernel()
    assert left == [left[0]] * 2
    assert left[0].is_relative_to(tmp_path)


@pytest.mark.parametrize("front", [1, 2], ids=["same", "causal"])
@pytest.mark.usefixtures("training_kernel")
def test_the_training_kernel_has_pytorchs_values_and_gradients(front: int) -> None:
    x = normal(2, 32, 5, 6, 7).requires_grad_()
    weight, bias = normal(32, 1, 3, 3, 3, seed=1).requires_grad_(), normal(32, seed=2).requires_grad_()
    upstream = normal(2, 32, 5, 6, 7, seed=3)

    def run(conv: object) -> list[Tensor]:
        assert callable(conv)
        for tensor in (x, weight, bias):
            tensor.grad = None
        y = conv(x, weight, bias)
        y.backward(upstream)
        grads = [tensor.grad for tensor in (x, weight, bias)]
        assert all(grad is not None for grad in grads)
        return [y.detach(), *(grad.clone() for grad in grads if grad is not None)]

    def reference(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        padded = nn.functional.pad(x, (1, 1, 1, 1, front, 2 - front))
        return nn.functional.conv3d(padded, weight, bias, groups=32)

    native = run(lambda *tensors: depthwise_conv3d(*tensors, front))
    for got, expected in zip(native, run(reference), strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.usefixtures("training_kernel")
def test_the_pointwise_form_of_training_is_the_convolution() -> None:
    x, weight, bias = normal(2, 5, 3, 4, 4), normal(7, 5, 1, 1, 1, seed=1), normal(7, seed=2)
    torch.testing.assert_close(
        pointwise_conv3d(x, weight, bias), nn.functional.conv3d(x, weight, bias), rtol=1e-5, atol=1e-5
    )
