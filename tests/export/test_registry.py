"""Families are found by name, and bad sources of weights are refused in words."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import vidrt
from vidrt.export.registry import ModelSource, family_names, find_family
from vidrt.export.weights import named_weights


def test_pocket_is_a_family() -> None:
    assert "pocket" in family_names()
    assert find_family("pocket").name == "pocket"


def test_an_unknown_family_names_those_there_are() -> None:
    with pytest.raises(vidrt.InvalidArgument, match=r"no model family 'pokcet'; expected one of: .*pocket"):
        find_family("pokcet")


def test_random_weights_are_the_same_for_the_same_seed() -> None:
    load = find_family("pocket").load
    first, again, other = (load(ModelSource(seed=seed)).networks["denoiser"] for seed in (5, 5, 6))
    assert torch.equal(first.get_parameter("stem.weight"), again.get_parameter("stem.weight"))
    assert not torch.equal(first.get_parameter("stem.weight"), other.get_parameter("stem.weight"))


def test_a_bundles_weights_can_be_exported_again(pocket_bundle: Path) -> None:
    spec = find_family("pocket").load(ModelSource(checkpoint=pocket_bundle))
    weights = named_weights(spec.networks, "fp16")
    (stored,) = (pocket_bundle / "weights").iterdir()
    read = load_file(stored)
    assert weights.keys() == read.keys()
    assert all(torch.equal(weights[name].tensor.half(), tensor) for name, tensor in read.items())


def test_a_folder_that_is_no_bundle_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(vidrt.InvalidArgument, match="is not a pocket bundle of this version"):
        find_family("pocket").load(ModelSource(checkpoint=tmp_path))


@pytest.mark.parametrize("content", [None, b"", b"not a safetensors file"])
def test_a_checkpoint_that_is_none_is_refused_by_name(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(vidrt.InvalidArgument, match=r"weights\.safetensors is not a pocket checkpoint"):
        find_family("pocket").load(ModelSource(checkpoint=path))
