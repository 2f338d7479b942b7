"""Declarations refuse what cannot be meant."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from vidrt.export.errors import ExportError
from vidrt.export.samples import mask, normal, token_ids
from vidrt.export.spec import BundleSpec, TensorSpec, parse_dimension


@pytest.mark.parametrize(
    ("dimension", "expected"), [(3, (None, 3)), ("h", ("h", 1)), ("h*4", ("h", 4)), ("latent_h*16", ("latent_h", 16))]
)
def test_a_dimension_is_a_number_a_symbol_or_a_product_of_both(
    dimension: int | str, expected: tuple[str | None, int]
) -> None:
    assert parse_dimension(dimension) == expected


@pytest.mark.parametrize("dimension", [0, -1, "", "4*h", "h*", "h*0", "h*w", "h+1", "h*4.5", "h *4"])
def test_any_other_dimension_is_refused(dimension: int | str) -> None:
    with pytest.raises(ExportError, match="expected a positive number, a symbol, or one as"):
        parse_dimension(dimension)


def test_a_shape_is_evaluated_at_given_sizes() -> None:
    assert TensorSpec("x", "float32", ("B", 3, "h*8")).concrete({"B": 2, "h": 5}) == (2, 3, 40)


def test_a_symbol_without_a_size_is_named() -> None:
    with pytest.raises(ExportError, match=r"tensor x: the symbol 'w' has no size; expected one of \['B', 'h'\]"):
        TensorSpec("x", "float32", ("B", "w")).concrete({"B": 2, "h": 5})


def test_an_unknown_dtype_is_refused() -> None:
    with pytest.raises(ExportError, match="tensor x: got dtype 'float64', expected one of"):
        TensorSpec("x", "float64", (1,))


def test_an_input_without_a_sampler_is_refused(miniature: BundleSpec, with_module: Callable[..., BundleSpec]) -> None:
    bare = (TensorSpec("latents", "float32", ("B", 2, "T", "h", "w")),)
    with pytest.raises(ExportError, match="module vae_decoder: the input 'latents' has no sampler"):
        with_module(miniature, "vae_decoder", inputs=bare)


def test_two_tensors_of_one_name_are_refused(miniature: BundleSpec, with_module: Callable[..., BundleSpec]) -> None:
    outputs = (TensorSpec("latents", "float32", ("B", 3, "T", "h", "w")),)
    with pytest.raises(ExportError, match="module vae_decoder: the tensor 'latents' is declared twice"):
        with_module(miniature, "vae_decoder", outputs=outputs)


def test_a_traced_size_of_one_is_refused(miniature: BundleSpec, with_module: Callable[..., BundleSpec]) -> None:
    with pytest.raises(ExportError, match="the traced size of 'T' is 1, expected at least 2"):
        with_module(miniature, "vae_decoder", trace={"B": 2, "T": 1, "h": 4, "w": 5})


def test_a_case_outside_the_extents_is_refused(miniature: BundleSpec, with_module: Callable[..., BundleSpec]) -> None:
    with pytest.raises(ExportError, match="got h = 9, expected 1 to 8 in steps of 1"):
        with_module(miniature, "vae_decoder", cases=({"B": 2, "T": 1, "h": 9, "w": 5},))


def test_a_module_without_cases_is_refused(miniature: BundleSpec, with_module: Callable[..., BundleSpec]) -> None:
    with pytest.raises(ExportError, match="module vae_decoder: no cases to compare with PyTorch"):
        with_module(miniature, "vae_decoder", cases=())


def test_sample_inputs_are_the_same_for_the_same_seed_and_others_for_another(miniature: BundleSpec) -> None:
    module = miniature.modules[1]
    first, again, other = (module.sample_inputs(module.trace, seed) for seed in (3, 3, 4))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(first, other, strict=True))


def test_sampled_masks_are_ones_then_zeros_with_at_least_one_token() -> None:
    rows = mask((64, 5), torch.Generator().manual_seed(0))
    assert rows[:, 0].eq(1).all()
    assert rows.diff(dim=1).le(0).all()
    assert 0 < int((rows == 0).sum()) < rows.numel()


def test_sampled_ids_stay_below_the_vocabulary_and_normal_values_have_unit_deviation() -> None:
    generator = torch.Generator().manual_seed(0)
    ids = token_ids(7)((1000,), generator)
    assert (int(ids.min()), int(ids.max())) == (0, 6)
    assert float(normal((10000,), generator).std()) == pytest.approx(1.0, abs=0.05)
