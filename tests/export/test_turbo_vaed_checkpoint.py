"""Checkpoints of Turbo-VAED: what is published loads, and what is not is refused with what differs."""

from __future__ import annotations

import dataclasses
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from vidrt.export.turbo_vaed.checkpoint import (
    CheckpointError,
    expected_shapes,
    fitting_preset,
    load_decoder,
    random_decoder,
)
from vidrt.export.turbo_vaed.config import PRESETS, TOY

Weights = dict[str, Tensor]


@pytest.fixture(autouse=True)
def toy_preset(monkeypatch: pytest.MonkeyPatch) -> None:
    """The toy as one more configuration that a checkpoint may be for."""
    monkeypatch.setitem(PRESETS, "toy", TOY)
    monkeypatch.setitem(PRESETS, "toy-causal", dataclasses.replace(TOY, causal=True))


@pytest.fixture
def weights() -> Weights:
    """A decoder's, without the latents' statistics."""
    state = random_decoder("toy", seed=3).network.state_dict()
    return {name: tensor for name, tensor in state.items() if not name.startswith("latents_")}


@pytest.fixture
def refused(tmp_path: Path) -> Callable[..., str]:
    """Save what is given as a checkpoint; the message with which it is refused."""

    def save(content: Any, preset: str | None = "toy") -> str:
        path = tmp_path / "decoder.pth"
        torch.save(content, path)
        with pytest.raises(CheckpointError) as caught:
            load_decoder(path, preset)
        assert str(path) in str(caught.value)
        return str(caught.value)

    return save


def _published(weights: Weights) -> Weights:
    """As the published files are: the decoder without a prefix, with statistics and what only training uses."""
    return {
        **weights,
        "latents_mean": torch.zeros(4),
        "latents_std": torch.ones(4),
        "aligned_feature_projection_heads.0.0.conv.weight": torch.zeros(9, 8, 1, 1, 1),
        "aligned_feature_projection_heads.0.0.conv.bias": torch.zeros(9),
    }


def _same(loaded: Weights, expected: Weights) -> bool:
    return all(torch.equal(loaded[name], tensor.float()) for name, tensor in expected.items())


@pytest.mark.parametrize("preset", [None, "toy"])
@pytest.mark.parametrize("suffix", [".pth", ".ckpt", ".safetensors"])
def test_a_published_file_loads_whole(weights: Weights, tmp_path: Path, suffix: str, preset: str | None) -> None:
    path = tmp_path / f"decoder{suffix}"
    (save_file if suffix == ".safetensors" else torch.save)(_published(weights), path)
    decoder = load_decoder(path, preset)
    assert decoder.preset == "toy"
    assert _same(decoder.network.state_dict(), weights)
    assert not decoder.network.training


def test_a_whole_autoencoders_file_loads(weights: Weights, tmp_path: Path) -> None:
    whole = {name: tensor for name, tensor in _published(weights).items() if name not in weights}
    whole |= {f"decoder.{name}": tensor for name, tensor in weights.items()}
    whole["latents_mean"] = torch.full((4,), 0.5)
    whole["latents_std"] = torch.full((4,), 2.0)
    torch.save(whole, tmp_path / "vae.pth")
    network = load_decoder(tmp_path / "vae.pth", None).network
    assert _same(network.state_dict(), weights)
    plain = random_decoder("toy", seed=3).network
    latents = torch.randn(1, 4, 2, 2, 2)
    with torch.no_grad():
        torch.testing.assert_close(network(latents), plain(2.0 * latents + 0.5))


def test_without_statistics_latents_are_taken_as_they_are(weights: Weights, tmp_path: Path) -> None:
    torch.save(weights, tmp_path / "decoder.pth")
    network = load_decoder(tmp_path / "decoder.pth", None).network
    assert torch.equal(network.latents_mean, torch.zeros(4))
    assert torch.equal(network.latents_std, torch.ones(4))


def test_half_precision_is_widened(weights: Weights, tmp_path: Path) -> None:
    half = {name: tensor.half() for name, tensor in weights.items()}
    torch.save(half, tmp_path / "decoder.pth")
    network = load_decoder(tmp_path / "decoder.pth", None).network
    assert _same(network.state_dict(), half)
    assert {tensor.dtype for tensor in network.state_dict().values()} == {torch.float32}


def test_the_causal_configuration_takes_the_same_file_where_it_is_asked_for(weights: Weights, tmp_path: Path) -> None:
    torch.save(weights, tmp_path / "decoder.pth")
    decoder = load_decoder(tmp_path / "decoder.pth", "toy-causal")
    assert decoder.preset == "toy-causal"
    assert decoder.network.config.causal


@pytest.mark.parametrize(("given", "found"), [("ltx", "ltx"), ("cogvideox", "hunyuan"), ("dc-ae", "dc-ae")])
def test_a_checkpoint_is_taken_for_the_first_configuration_that_it_fits(given: str, found: str) -> None:
    assert fitting_preset(expected_shapes(PRESETS[given]), None, Path("x.pth")) == found


def test_random_weights_are_those_of_their_seed() -> None:
    first, again, other = (random_decoder("toy", seed).network.state_dict() for seed in (1, 1, 2))
    assert _same(first, again)
    assert not _same(first, other)


def test_missing_weights_are_named(weights: Weights, refused: Callable[..., str]) -> None:
    del weights["conv_out.conv.bias"]
    message = refused(weights)
    assert "does not hold the weights of the preset toy: 1 missing: conv_out.conv.bias." in message


def test_unexpected_weights_are_named(weights: Weights, refused: Callable[..., str]) -> None:
    extra = {f"mid_block.resnets.{index}.conv1.pointwise_conv.bias": torch.zeros(12) for index in range(1, 8)}
    message = refused({**weights, **extra})
    assert "7 unexpected: mid_block.resnets.1.conv1.pointwise_conv.bias, " in message
    assert message.endswith("and 3 more.")


def test_weights_of_another_shape_are_named(weights: Weights, refused: Callable[..., str]) -> None:
    weights["conv_in.conv.weight"] = torch.zeros(12, 5, 3, 3, 3)
    assert "1 of another shape: conv_in.conv.weight [12, 5, 3, 3, 3] instead of [12, 4, 3, 3, 3]." in refused(weights)


def test_without_a_preset_the_nearest_is_compared(weights: Weights, refused: Callable[..., str]) -> None:
    del weights["conv_out.conv.bias"]
    assert "the preset toy, which of all presets it is nearest to: 1 missing" in refused(weights, None)


def test_a_checkpoint_of_another_configuration_is_refused(weights: Weights, refused: Callable[..., str]) -> None:
    message = refused(weights, "ltx")
    assert "does not hold the weights of the preset ltx: " in message
    assert "conv_in.conv.weight [12, 4, 3, 3, 3] instead of [512, 128, 3, 3, 3]" in message


def test_names_with_and_without_the_prefix_are_refused(weights: Weights, refused: Callable[..., str]) -> None:
    weights["decoder.conv_in.conv.weight"] = weights["conv_in.conv.weight"]
    assert "names with and without 'decoder.', as decoder.conv_in.conv.weight and " in refused(weights)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_not_finite_are_refused(weights: Weights, refused: Callable[..., str], value: float) -> None:
    weights["conv_out.conv.bias"] = torch.tensor([0.0, value, 0.0])
    assert "conv_out.conv.bias is torch.float32 or holds values that are not finite" in refused(weights)


def test_integers_are_refused(weights: Weights, refused: Callable[..., str]) -> None:
    weights["conv_out.conv.bias"] = torch.zeros(3, dtype=torch.int64)
    assert "conv_out.conv.bias is torch.int64" in refused(weights)


@pytest.mark.parametrize(
    ("content", "inside"),
    [
        ({"state_dict": {"gen_model": {}}, "epoch": 3}, "'state_dict', 'epoch'"),
        ({}, "nothing"),
        ([torch.zeros(1)], "list"),
        ({3: torch.zeros(1)}, "3"),
    ],
)
def test_what_is_no_state_dict_is_refused_with_what_it_is(
    refused: Callable[..., str], content: Any, inside: str
) -> None:
    message = refused(content)
    assert f"is no state dict: it holds {inside}; expected tensors by name" in message


class Hostile:
    """Touches a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def test_a_pickle_executes_nothing(tmp_path: Path, weights: Weights, refused: Callable[..., str]) -> None:
    message = refused({**weights, "extra": Hostile(tmp_path / "owned")})
    assert "cannot be read as a checkpoint" in message
    path = tmp_path / "plain.pth"
    path.write_bytes(pickle.dumps(Hostile(tmp_path / "owned")))
    with pytest.raises(CheckpointError, match="cannot be read as a checkpoint"):
        load_decoder(path, None)
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("content", [b"", b"\x80\x04garbage", b"\xff" * 64, b"PK\x03\x04broken"])
def test_garbage_and_absent_files_are_one_error(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"decoder{suffix}"
    with pytest.raises(CheckpointError, match="cannot be read as a checkpoint"):
        load_decoder(path, None)
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="cannot be read as a checkpoint"):
        load_decoder(path, None)


def test_a_truncated_file_is_refused(weights: Weights, tmp_path: Path) -> None:
    for suffix, save in ((".pth", torch.save), (".safetensors", save_file)):
        path = tmp_path / f"decoder{suffix}"
        save(weights, path)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        with pytest.raises(CheckpointError, match="cannot be read as a checkpoint"):
            load_decoder(path, None)
