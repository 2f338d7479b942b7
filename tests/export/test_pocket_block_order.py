"""The comparison of both orders in a block: equal but for the order, repeatable, and told in one table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from vidrt.export.pocket import block_order
from vidrt.export.pocket.block_order import Order
from vidrt.export.pocket.checkpoint import load_networks
from vidrt.export.pocket.config import TOY
from vidrt.export.pocket.render import ClipSize


@pytest.fixture
def toy_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Toy networks and clips, so that a comparison takes seconds."""
    monkeypatch.setattr(block_order, "PocketConfig", lambda: TOY)
    monkeypatch.setattr(block_order, "SIZE", ClipSize(5, 16, 16))
    monkeypatch.setattr(block_order, "BATCH", 2)
    monkeypatch.setattr(block_order, "NEW_CLIPS", 4)
    monkeypatch.setattr(block_order, "LOSS_BATCHES", 2)


def run(*arguments: str) -> Any:
    threads = torch.get_num_threads()
    try:
        return CliRunner().invoke(block_order.app, arguments)
    finally:
        torch.set_num_threads(threads)


def train(out: Path, order: str, bundle: Path) -> Any:
    return run("train", str(out), order, "--bundle", str(bundle), "--steps", "2", "--clips", "4")


def test_both_orders_start_from_the_same_weights_and_keep_the_bundles_autoencoder(
    toy_sizes: None, toy_bundle: Any
) -> None:
    first, second = (order.networks(toy_bundle.path, seed=5) for order in Order)
    assert first.config.denoiser.norm_first
    assert not second.config.denoiser.norm_first
    for name, network in first.named().items():
        state, other = network.state_dict(), second.named()[name].state_dict()
        assert all(torch.equal(value, other[key]) for key, value in state.items())
        shipped = toy_bundle.networks.named()[name].state_dict()
        assert all(torch.equal(value, shipped[key]) for key, value in state.items()) == name.startswith("vae")


def test_both_orders_are_trained_and_compared(
    toy_sizes: None, toy_bundle: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for order in Order:
        done = train(tmp_path, order.value, toy_bundle.path)
        assert done.exit_code == 0, done.output
        assert load_networks(tmp_path / order.value / "pocket.safetensors").config.denoiser.norm_first == (
            order is Order.NORM_FIRST
        )
    results = [json.loads((tmp_path / order.value / "result.json").read_text()) for order in Order]
    losses = [result.pop("loss of new clips") for result in results]
    assert results[0] == results[1] == {"steps": 2, "clips": 4, "seed": 0}
    assert losses[0] != losses[1]
    # Exports are tested elsewhere and take most of a minute.
    monkeypatch.setattr(block_order, "exported", lambda folder: toy_bundle.path)
    done = run("compare", str(tmp_path), "--prompts", "2", "--probe-steps", "1")
    assert done.exit_code == 0, done.output
    assert "| | norm-first (2) | depthwise-first (2) |" in done.output
    assert "| all of these | " in done.output


def test_what_was_not_trained_cannot_be_compared(tmp_path: Path) -> None:
    done = run("compare", str(tmp_path))
    assert done.exit_code == 1
    assert "error: " in done.output
    assert "norm-first/pocket.safetensors is not a pocket checkpoint" in done.output
