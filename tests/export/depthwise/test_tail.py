"""What comes after a depthwise convolution is part of the operator where nothing else reads what lies between."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import onnx_ir as ir
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

Outcome = Any
"""Of conftest.py."""

PADDED = {"padding": 1}


def _after(function: Callable[[Tensor], Tensor]) -> Callable[..., Tensor]:
    return lambda s, x: function(s.conv(x))


def _gelu_of(inner: Callable[[Tensor], Tensor]) -> Callable[..., Tensor]:
    return _after(lambda y: 0.5 * y * (1.0 + inner(y)))


ROOT = math.sqrt(2.0 / math.pi)
ACTIVATIONS = {
    "relu": (_after(F.relu), PADDED, "relu"),
    "silu": (_after(F.silu), PADDED, "silu"),
    "silu by hand": (_after(lambda y: torch.sigmoid(y) * y), PADDED, "silu"),
    "gelu": (_after(F.gelu), PADDED, "gelu"),
    "gelu with tanh": (_after(lambda y: F.gelu(y, approximate="tanh")), PADDED, "gelu_tanh"),
    "gelu by hand": (_gelu_of(lambda y: torch.erf(y / math.sqrt(2.0))), PADDED, "gelu"),
    "gelu by hand, otherwise": (
        _after(lambda y: y * (torch.erf(y * 0.7071067811865475) * 0.5 + 0.5)),
        PADDED,
        "gelu",
    ),
    "gelu with tanh by hand": (
        _gelu_of(lambda y: torch.tanh(ROOT * (y + 0.044715 * y**3))),
        PADDED,
        "gelu_tanh",
    ),
    "gelu with tanh by hand, otherwise": (
        _gelu_of(lambda y: torch.tanh(ROOT * y * (1.0 + 0.044715 * y * y))),
        PADDED,
        "gelu_tanh",
    ),
    "hardswish": (_after(F.hardswish), PADDED, "none"),
    "elu": (_after(F.elu), PADDED, "none"),
    "relu6": (_after(F.relu6), PADDED, "none"),
    "sigmoid alone": (_after(torch.sigmoid), PADDED, "none"),
    "the quick gelu": (_after(lambda y: y * torch.sigmoid(1.702 * y)), PADDED, "none"),
    "silu of what is read again": (_after(lambda y: F.silu(y) + y.square()), PADDED, "none"),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_are_absorbed_however_they_are_spelled_and_no_others(
    grouped: Callable[..., Outcome], name: str
) -> None:
    outcome, index = grouped(ACTIVATIONS), list(ACTIVATIONS).index(name)
    assert outcome.attributes(index)["activation"] == ACTIVATIONS[name][2]
    outcome.assert_equal(only=index)


def test_no_node_of_an_absorbed_activation_is_left(grouped: Callable[..., Outcome]) -> None:
    assert not {"Erf", "Tanh", "Gelu"} & set(grouped(ACTIVATIONS).operators())


ADDITIONS: dict[str, Any] = {
    "a bias as a view": (
        lambda s, x: F.silu(s.conv(x) + s.vector.view(1, -1, 1, 1, 1)),
        {"padding": 1, "bias": False},
        ("padding", "bias", "silu"),
    ),
    "a bias unsqueezed": (
        lambda s, x: F.silu(s.conv(x) + s.vector[:, None, None, None]),
        {"padding": 1, "bias": False},
        ("padding", "bias", "silu"),
    ),
    "a residual before": (lambda s, x: x + F.silu(s.conv(x)), PADDED, ("padding", "bias", "silu", "residual")),
    "a residual behind": (lambda s, x: F.silu(s.conv(x)) + x, PADDED, ("padding", "bias", "silu", "residual")),
    "a residual that is computed": (
        lambda s, x: F.silu(s.conv(x)) + x.sin(),
        PADDED,
        ("padding", "bias", "silu", "residual"),
    ),
    "a vector added to what has a bias": (
        lambda s, x: s.conv(x) + s.vector.view(1, -1, 1, 1, 1),
        PADDED,
        ("padding", "bias"),
    ),
    "what is broadcast": (lambda s, x: s.conv(x) + x.mean(dim=2, keepdim=True), PADDED, ("padding", "bias")),
    "itself": (_after(lambda y: y + y), PADDED, ("padding", "bias")),
    "what is computed from the result": (_after(lambda y: y + y.flip(2)), PADDED, ("padding", "bias")),
    "an activation after the residual": (lambda s, x: F.relu(s.conv(x) + x), PADDED, ("padding", "bias", "residual")),
}


@pytest.mark.parametrize("name", ADDITIONS)
def test_biases_and_residuals_are_absorbed_and_no_other_additions(grouped: Callable[..., Outcome], name: str) -> None:
    outcome, index = grouped(ADDITIONS), list(ADDITIONS).index(name)
    assert outcome.report.rewritten[index].absorbed == ADDITIONS[name][2]
    outcome.assert_equal(only=index)


def test_an_activation_after_the_residual_stays_after_it(run: Callable[..., Outcome]) -> None:
    outcome = run(lambda s, x: F.relu(s.conv(x) + x), padding=1)
    assert outcome.operators() == ["DepthwiseConv3d", "Relu"]
    assert outcome.attributes()["activation"] == "none"


def test_a_residual_that_is_computed_from_the_cache_stays_an_addition(run: Callable[..., Outcome]) -> None:
    def step(s: Any, x: Tensor) -> tuple[Tensor, Tensor]:
        padded = F.pad(x, (0, 0, 0, 0, 2, 0))
        cache = padded[:, :, -2:]
        return s.conv(padded) + x * cache[:, :, -1:], cache

    outcome = run(step, results=2, padding=(0, 1, 1))
    assert outcome.report.rewritten[0].absorbed == ("padding", "cache_out", "bias")
    outcome.assert_equal()


def test_what_the_graph_gives_out_is_kept(run: Callable[..., Outcome]) -> None:
    outcome = run(_after(lambda y: (y, F.silu(y))), results=2, padding=1)
    assert outcome.report.rewritten[0].absorbed == ("padding", "bias")
    outcome.assert_equal()


SEPARABLES: dict[str, Any] = {
    "bare": (
        lambda s, x: s.pointwise(s.conv(x)),
        PADDED,
        (("padding", "bias", "pointwise", "bias"), "none", "none"),
    ),
    "with all that there is": (
        lambda s, x: x + F.gelu(s.back(F.silu(s.conv(x)))),
        PADDED,
        (("padding", "bias", "silu", "pointwise", "gelu", "residual"), "silu", "gelu"),
    ),
    "with a bias that is added": (
        lambda s, x: F.relu(s.back(s.conv(x)) + s.vector.view(1, -1, 1, 1, 1)),
        PADDED,
        (("padding", "bias", "pointwise", "bias", "relu"), "none", "relu"),
    ),
}


@pytest.mark.parametrize("name", SEPARABLES)
def test_a_depthwise_and_a_pointwise_convolution_are_one_operator(grouped: Callable[..., Outcome], name: str) -> None:
    outcome, index = grouped(SEPARABLES), list(SEPARABLES).index(name)
    given = outcome.attributes(index)
    found = (outcome.report.rewritten[index].absorbed, given["activation"], given["output_activation"])
    assert found == SEPARABLES[name][2]
    assert outcome.operators() == ["DepthwiseSeparableConv3d"] * len(SEPARABLES)
    outcome.assert_equal(only=index)


def test_a_separable_step_has_caches(run: Callable[..., Outcome]) -> None:
    def step(s: Any, x: Tensor, cache: Tensor) -> tuple[Tensor, Tensor]:
        padded = torch.cat([cache, x], dim=2)
        return F.silu(s.pointwise(s.conv(padded))), padded[:, :, -2:]

    outcome = run(step, cache_frames=2, results=2, padding=(0, 1, 1))
    assert outcome.operators() == ["DepthwiseSeparableConv3d"]
    outcome.assert_equal({"B": 1, "T": 1, "h": 3, "w": 2})


APART: dict[str, Any] = {
    "what lies between is read again": (_after(lambda y: y.flip(2) * y), PADDED, None),
    "and by a 1x1x1 convolution": (lambda s, x: (lambda y: s.back(y) + y.flip(2))(s.conv(x)), PADDED, None),
    "the weight is read again": (lambda s, x: s.back(s.back(F.relu(s.conv(x)))), PADDED, None),
    "another activation between": (lambda s, x: s.back(F.hardswish(s.conv(x))), PADDED, None),
    "a residual between": (lambda s, x: s.back(s.conv(x) + x), PADDED, None),
    "a strided one after it": (lambda s, x: F.conv3d(s.conv(x), s.back.weight, stride=(1, 2, 2)), PADDED, None),
}


@pytest.mark.parametrize("name", APART)
def test_the_depthwise_convolution_alone_is_taken_where_the_two_are_not_one(
    grouped: Callable[..., Outcome], name: str
) -> None:
    outcome, index = grouped(APART), list(APART).index(name)
    assert outcome.report.rewritten[index].operator == "DepthwiseConv3d"
    outcome.assert_equal(only=index)


def test_the_two_are_left_apart_where_that_is_asked_for(run: Callable[..., Outcome]) -> None:
    outcome = run(lambda s, x: s.pointwise(F.silu(s.conv(x))), padding=1, separable=False)
    assert outcome.operators() == ["DepthwiseConv3d", "Conv"]
    outcome.assert_equal()


def test_the_two_are_left_apart_where_the_filter_is_large(run: Callable[..., Outcome]) -> None:
    outcome = run(lambda s, x: s.pointwise(F.silu(s.conv(x))), kernel_size=(3, 5, 3), padding=(1, 2, 1))
    assert outcome.operators() == ["DepthwiseConv3d", "Conv"]
    outcome.assert_equal()


def test_weights_keep_their_names_bytes_and_places(run: Callable[..., Outcome]) -> None:
    outcome = run(lambda s, x: x + s.back(F.silu(s.conv(x))), padding=1)
    stock = dict(ir.load(outcome.stock).graph.initializers)
    for name, value in outcome.model.graph.initializers.items():
        there, here = stock[name].const_value, value.const_value
        assert isinstance(here, ir.ExternalTensor)
        assert (here.location, here.offset, here.length) == (there.location, there.offset, there.length)
    assert outcome.model.graph.initializers["net.back.weight"].shape == (4, 4)
