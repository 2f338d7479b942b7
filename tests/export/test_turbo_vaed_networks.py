"""The Turbo-VAED decoder: published names and arithmetic, steps that may be cut anywhere, its receptive field."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from vidrt.export.turbo_vaed.checkpoint import expected_shapes
from vidrt.export.turbo_vaed.config import PRESETS, TOY, TurboVaedConfig
from vidrt.export.turbo_vaed.decoder import TurboVaedDecoder
from vidrt.export.turbo_vaed.receptive_field import receptive_field
from vidrt.export.turbo_vaed.steps import cache_specs

NAMES = Path(__file__).parent / "turbo_vaed_names"
"""A line a weight of the published checkpoints, as `conv_in.conv.weight 512x128x3x3x3`."""

PUBLISHED = ("ltx", "hunyuan", "dc-ae")
SMALL = dataclasses.replace(TOY, dw_kernel_size=3)
"""With a receptive field that leaves room in a clip of a dozen latent frames."""

CAUSAL = dataclasses.replace(TOY, causal=True)
LATENT_FRAMES = 5
TOLERANCE = {torch.float32: 5e-5, torch.float64: 1e-9}


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Tensors this small gain nothing from threads, and lose much where other work runs beside."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def make(config: TurboVaedConfig, dtype: torch.dtype = torch.float64) -> TurboVaedDecoder:
    """A decoder in which no weight is zero or one."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = TurboVaedDecoder(config).to(dtype).eval()
        for tensor in network.state_dict().values():
            tensor.add_(0.05 * torch.randn(tensor.shape))
    return network


def normal(config: TurboVaedConfig, frames: int, dtype: torch.dtype = torch.float64, batch: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(batch, config.latent_channels, frames, 2, 3, generator=generator).to(dtype)


class Published:
    """The published decoder's arithmetic, written from its description: everything follows from the weights' names and
    shapes, and padding, norms and pixel shuffles are done as there, in other layouts than ours.
    """

    def __init__(self, weights: dict[str, Tensor], *, single_first_frame: bool) -> None:
        self.weights = weights
        self.single_first_frame = single_first_frame

    def has(self, name: str) -> bool:
        return f"{name}.weight" in self.weights

    def conv3d(self, x: Tensor, name: str) -> Tensor:
        weight, bias = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
        side = weight.shape[2] // 2
        first, last = x[:, :, :1].repeat(1, 1, side, 1, 1), x[:, :, -1:].repeat(1, 1, side, 1, 1)
        groups = x.shape[1] // weight.shape[1]
        return F.conv3d(torch.cat([first, x, last], dim=2), weight, bias, padding=(0, side, side), groups=groups)

    def conv(self, x: Tensor, name: str) -> Tensor:
        if self.has(f"{name}.conv"):
            return self.conv3d(x, f"{name}.conv")
        return self.conv3d(self.conv3d(x, f"{name}.depthwise_conv"), f"{name}.pointwise_conv")

    @staticmethod
    def norm(x: Tensor) -> Tensor:
        last = x.permute(0, 2, 3, 4, 1)
        return (last / (last.pow(2).mean(-1, keepdim=True) + 1e-8).sqrt()).permute(0, 4, 1, 2, 3)

    def resnet(self, x: Tensor, name: str, *, relu: bool = False) -> Tensor:
        y = self.norm(x)
        y = self.conv(F.relu(y) if relu else F.silu(y), f"{name}.conv1")
        y = self.conv(F.silu(self.norm(y)), f"{name}.conv2")
        if self.has(f"{name}.norm3"):
            weight, bias = self.weights[f"{name}.norm3.weight"], self.weights[f"{name}.norm3.bias"]
            last = F.layer_norm(x.permute(0, 2, 3, 4, 1), weight.shape, weight, bias, eps=1e-6)
            x = self.conv(last.permute(0, 4, 1, 2, 3), f"{name}.conv_shortcut")
        return y + x

    def upsample(self, x: Tensor, name: str) -> Tensor:
        frames = x.shape[2]
        y = self.conv(x, name)
        time = y.shape[1] // x.shape[1] // 4
        y = y.unflatten(1, (-1, time)).permute(0, 1, 3, 2, 4, 5).flatten(2, 3)
        y = torch.stack([F.pixel_shuffle(y[:, :, t], 2) for t in range(frames * time)], dim=2)
        return y[:, :, time - 1 :] if self.single_first_frame else y

    def upsample_frames(self, x: Tensor, name: str) -> Tensor:
        x = F.silu(self.norm(x))
        weight, bias = self.weights[f"{name}.conv.weight"], self.weights[f"{name}.conv.bias"]
        frames = [F.pixel_shuffle(F.conv2d(x[:, :, t], weight, bias, padding=1), 2) for t in range(x.shape[2])]
        return torch.stack(frames, dim=2)

    def resnets(self, x: Tensor, block: str, *, relu: bool) -> Tensor:
        index = 0
        while any(name.startswith(f"{block}.resnets.{index}.") for name in self.weights):
            x = self.resnet(x, f"{block}.resnets.{index}", relu=relu)
            index += 1
        return x

    def decode(self, latents: Tensor) -> Tensor:
        mean, std = self.weights["latents_mean"], self.weights["latents_std"]
        x = self.conv(latents * std.view(1, -1, 1, 1, 1) + mean.view(1, -1, 1, 1, 1), "conv_in")
        x = self.resnets(x, "mid_block", relu=False)
        index = 0
        while any(name.startswith(f"up_blocks.{index}.") for name in self.weights):
            block = f"up_blocks.{index}"
            if any(name.startswith(f"{block}.conv_in.") for name in self.weights):
                x = self.resnet(x, f"{block}.conv_in")
            scales = self.has(f"{block}.upsamplers.0.conv.conv")
            if scales:
                x = self.upsample(x, f"{block}.upsamplers.0.conv")
            x = self.resnets(x, block, relu=scales)
            index += 1
        for name in ("upsampler2d_1", "upsampler2d_2"):
            if self.has(f"{name}.conv"):
                x = self.upsample_frames(x, name)
        return self.conv(F.silu(self.norm(x)), "conv_out").clamp(-1.0, 1.0)


@pytest.mark.parametrize("preset", PUBLISHED)
def test_names_and_shapes_are_those_of_the_published_checkpoints(preset: str) -> None:
    published = dict(line.split() for line in (NAMES / f"{preset}.txt").read_text().splitlines())
    ours = {name: "x".join(map(str, shape)) for name, shape in expected_shapes(PRESETS[preset]).items()}
    channels = str(PRESETS[preset].latent_channels)
    assert ours == {**published, "latents_mean": channels, "latents_std": channels}


def test_the_causal_configuration_has_the_published_weights() -> None:
    assert expected_shapes(PRESETS["ltx-causal"]) == expected_shapes(PRESETS["ltx"])


@torch.no_grad()
@pytest.mark.parametrize("single_first_frame", [True, False])
@pytest.mark.parametrize("frames", [1, 2, 5])
def test_the_toy_decodes_as_the_published_arithmetic_says(frames: int, single_first_frame: bool) -> None:
    network = make(dataclasses.replace(TOY, single_first_frame=single_first_frame))
    latents = normal(TOY, frames, batch=2)
    expected = Published(network.state_dict(), single_first_frame=single_first_frame).decode(latents)
    assert expected.shape[2] == (4 * frames - 3 if single_first_frame else 4 * frames)
    assert 0.1 < float(expected.std()) < 0.9
    torch.testing.assert_close(network(latents), expected, rtol=0, atol=TOLERANCE[torch.float64])


@torch.no_grad()
@pytest.mark.parametrize("preset", PUBLISHED)
def test_published_configurations_decode_as_the_published_arithmetic_says(preset: str) -> None:
    config = PRESETS[preset]
    network = make(config, torch.float32)
    latents = normal(config, 2, torch.float32)
    expected = Published(network.state_dict(), single_first_frame=config.single_first_frame).decode(latents)
    ratio = config.spatial_ratio
    frames = config.temporal_ratio + 1 if config.single_first_frame else 2 * config.temporal_ratio
    assert expected.shape == (1, 3, frames, 2 * ratio, 3 * ratio)
    torch.testing.assert_close(network(latents), expected, rtol=0, atol=TOLERANCE[torch.float32])


@torch.no_grad()
def decode_in_steps(network: TurboVaedDecoder, latents: Tensor, chunks: list[int]) -> Tensor:
    caches: list[Tensor] | None = None
    pieces = []
    for chunk in latents.split(chunks, dim=2):
        frames, caches = network.step(chunk, caches)
        pieces.append(frames)
    return torch.cat(pieces, dim=2)


@pytest.fixture(scope="module")
def causal() -> TurboVaedDecoder:
    """The toy, with causal padding."""
    return make(CAUSAL)


@settings(max_examples=8, deadline=None)
@given(cuts=st.sets(st.integers(1, LATENT_FRAMES - 1)))
def test_any_chunking_of_the_causal_decoder_gives_the_whole_decode(causal: TurboVaedDecoder, cuts: set[int]) -> None:
    latents = normal(CAUSAL, LATENT_FRAMES)
    edges = [0, *sorted(cuts), LATENT_FRAMES]
    chunks = [end - start for start, end in itertools.pairwise(edges)]
    with torch.no_grad():
        whole = causal(latents)
    torch.testing.assert_close(decode_in_steps(causal, latents, chunks), whole, rtol=0, atol=TOLERANCE[torch.float64])


@torch.no_grad()
def test_the_first_frames_of_the_causal_decoder_do_not_see_later_latents(causal: TurboVaedDecoder) -> None:
    latents = normal(CAUSAL, LATENT_FRAMES)
    changed = latents.clone()
    changed[:, :, 3:] += 1.0
    first = 4 * 2 + 1
    torch.testing.assert_close(causal(changed)[:, :, :first], causal(latents)[:, :, :first], rtol=0, atol=1e-12)
    assert float((causal(changed)[:, :, first:] - causal(latents)[:, :, first:]).abs().max()) > 0.1


@torch.no_grad()
def test_caches_have_the_declared_shapes_whatever_the_step(causal: TurboVaedDecoder) -> None:
    declared = [(2, spec.channels, spec.frames, 2 * spec.scale, 3 * spec.scale) for spec in cache_specs(CAUSAL)]
    latents = normal(CAUSAL, LATENT_FRAMES, batch=2)
    _, caches = causal.step(latents[:, :, :1], None)
    assert [tuple(cache.shape) for cache in caches] == declared
    _, caches = causal.step(latents[:, :, 1:4], caches)
    assert [tuple(cache.shape) for cache in caches] == declared


def _seen(network: TurboVaedDecoder, latent_frames: int, latent: int) -> tuple[int, int]:
    """The first and the last latent frame that the frames of `latent` depend on."""
    latents = normal(network.config, latent_frames).requires_grad_()
    ratio = network.config.temporal_ratio
    start = ratio * latent - (ratio - 1 if network.config.single_first_frame else 0)
    network(latents)[:, :, start : start + ratio].square().sum().backward()
    assert latents.grad is not None
    seen = latents.grad.abs().amax(dim=(0, 1, 3, 4)).nonzero().flatten()
    return int(seen.min()), int(seen.max())


@pytest.mark.parametrize("single_first_frame", [True, False])
@pytest.mark.parametrize("causal", [True, False])
def test_the_receptive_field_is_exactly_what_frames_depend_on(causal: bool, single_first_frame: bool) -> None:
    config = dataclasses.replace(SMALL, causal=causal, single_first_frame=single_first_frame)
    before, after = receptive_field(config)
    latent = before + 1
    assert _seen(make(config), latent + after + 2, latent) == (latent - before, latent + after)


@pytest.mark.parametrize(("preset", "field"), [("ltx", (20, 20)), ("hunyuan", (51, 51)), ("dc-ae", (41, 41))])
def test_receptive_fields_of_the_published_configurations(preset: str, field: tuple[int, int]) -> None:
    # Counted by hand for ltx: 1 + 4 + 4 + 2 + 1 latent frames, then 9 halves, 7 quarters and 7 eighths of one.
    assert receptive_field(PRESETS[preset]) == field


@torch.no_grad()
def test_a_part_of_a_clip_with_its_receptive_field_gives_the_frames_of_the_whole() -> None:
    network = make(SMALL)
    before, after = receptive_field(SMALL)
    latent_frames = before + after + 5
    latents = normal(SMALL, latent_frames)
    whole = network(latents)
    ratio = SMALL.temporal_ratio

    def difference(latent: int, given_before: int, given_after: int) -> float:
        start, end = max(0, latent - given_before), min(latent_frames, latent + 1 + given_after)
        part = network(latents[:, :, start:end])
        first = 0 if latent == 0 else ratio * latent - ratio + 1
        wanted = slice(first, ratio * latent + 1)
        got = slice(first - ratio * start, ratio * (latent - start) + 1)
        return float((part[:, :, got] - whole[:, :, wanted]).abs().max())

    for latent in (0, 1, before, latent_frames // 2, latent_frames - 1):
        assert difference(latent, before, after) < TOLERANCE[torch.float64]
    middle = latent_frames // 2
    assert difference(middle, before - 1, after) > TOLERANCE[torch.float64]
    assert difference(middle, before, after - 1) > TOLERANCE[torch.float64]
