"""What stands before a depthwise convolution, padding and caches, is part of the operator, and computes the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

Outcome = Any
"""Of conftest.py."""

SHORT = {"B": 1, "T": 1, "h": 7, "w": 8}
"""Shorter than any filter: only where clips are padded in time."""


def causal(x: Tensor, frames: int = 2) -> Tensor:
    return F.pad(x, (0, 0, 0, 0, frames, 0))


def first(x: Tensor) -> Tensor:
    return x[:, :, :1]


def last(x: Tensor) -> Tensor:
    return x[:, :, -1:]


def zeros(x: Tensor, frames: int) -> Tensor:
    return x.new_zeros(x.shape[0], x.shape[1], frames, x.shape[3], x.shape[4])


def edges(x: Tensor, *amounts: int) -> Tensor:
    return F.pad(x, amounts, mode="replicate")


SPACE = {"padding": (0, 1, 1)}
ZEROS = ("same", "zeros", "same", "zeros")
PADDINGS = {
    "its own": (lambda s, x: s.conv(x), {"padding": 1}, ZEROS),
    "by a word": (lambda s, x: s.conv(x), {"padding": "same"}, ZEROS),
    "time by a Pad": (lambda s, x: s.conv(causal(x)), SPACE, ("causal", "zeros", "same", "zeros")),
    "all by a Pad": (lambda s, x: s.conv(F.pad(x, (1, 1, 1, 1, 2, 0))), {}, ("causal", "zeros", "same", "zeros")),
    "time replicated": (
        lambda s, x: s.conv(edges(x, 0, 0, 0, 0, 2, 0)),
        SPACE,
        ("causal", "replicate", "same", "zeros"),
    ),
    "space replicated, time zeros": (
        lambda s, x: s.conv(edges(x, 1, 1, 1, 1, 0, 0)),
        {"padding": (1, 0, 0)},
        ("same", "zeros", "same", "replicate"),
    ),
    "all replicated": (
        lambda s, x: s.conv(x),
        {"padding": 1, "padding_mode": "replicate"},
        ("same", "replicate", "same", "replicate"),
    ),
    "two Pads": (
        lambda s, x: s.conv(edges(edges(x, 0, 0, 0, 0, 2, 0), 1, 1, 1, 1, 0, 0)),
        {},
        ("causal", "replicate", "same", "replicate"),
    ),
    "copies of the first and last frame": (
        lambda s, x: s.conv(torch.cat([first(x).repeat(1, 1, 2, 1, 1), x, last(x).repeat(1, 1, 2, 1, 1)], 2)),
        {"padding": (0, 1, 1), "kernel_size": (5, 3, 3)},
        ("same", "replicate", "same", "zeros"),
    ),
    "the first frame expanded": (
        lambda s, x: s.conv(torch.cat([first(x).expand(-1, -1, 2, -1, -1), x], 2)),
        SPACE,
        ("causal", "replicate", "same", "zeros"),
    ),
    "the first frame twice": (
        lambda s, x: s.conv(torch.cat([first(x), first(x), x], 2)),
        SPACE,
        ("causal", "replicate", "same", "zeros"),
    ),
    "frames of zeros": (lambda s, x: s.conv(torch.cat([zeros(x, 1), x, zeros(x, 1)], 2)), SPACE, ZEROS),
    "a frame of zeros repeated": (
        lambda s, x: s.conv(torch.cat([torch.zeros_like(first(x)).repeat(1, 1, 2, 1, 1), x], 2)),
        SPACE,
        ("causal", "zeros", "same", "zeros"),
    ),
    "an even causal filter, dilated": (
        lambda s, x: s.conv(causal(x, 3)),
        {"kernel_size": (2, 3, 3), "dilation": (3, 1, 1), "padding": (0, 1, 1)},
        ("causal", "zeros", "same", "zeros"),
    ),
}


@pytest.mark.parametrize("name", PADDINGS)
def test_padding_is_absorbed(grouped: Callable[..., Outcome], name: str) -> None:
    outcome, index = grouped(PADDINGS), list(PADDINGS).index(name)
    given = outcome.attributes(index)
    words = ("temporal_padding", "temporal_pad_mode", "spatial_padding", "spatial_pad_mode")
    assert tuple(given[word] for word in words) == PADDINGS[name][2]
    assert outcome.report.rewritten[index].absorbed == ("padding", "bias")
    outcome.assert_equal(SHORT, only=index)


def test_nothing_of_the_padding_is_left(grouped: Callable[..., Outcome]) -> None:
    assert grouped(PADDINGS).operators() == ["DepthwiseConv3d"] * len(PADDINGS)


FILTERS = {
    "valid": (lambda s, x: s.conv(x), {}, ("valid", "valid")),
    "an even kernel, valid": (lambda s, x: s.conv(x), {"kernel_size": (2, 4, 2)}, ("valid", "valid")),
    "1x3x3": (lambda s, x: s.conv(x), {"kernel_size": (1, 3, 3), "padding": (0, 1, 1)}, ("same", "same")),
    "3x1x1": (lambda s, x: s.conv(x), {"kernel_size": (3, 1, 1)}, ("valid", "same")),
    "5x7x3": (lambda s, x: s.conv(x), {"kernel_size": (5, 7, 3), "padding": (2, 3, 1)}, ("same", "same")),
    "strided in space": (lambda s, x: s.conv(x), {"stride": (1, 2, 2), "padding": 1}, ("same", "same")),
    "strided in time": (lambda s, x: s.conv(x), {"stride": 2, "padding": (1, 0, 0)}, ("same", "valid")),
    "dilated": (lambda s, x: s.conv(x), {"dilation": (2, 1, 3), "padding": (2, 1, 3)}, ("same", "same")),
    "no bias": (lambda s, x: s.conv(x), {"padding": 1, "bias": False}, ("same", "same")),
}


@pytest.mark.parametrize("name", FILTERS)
def test_filters_of_all_kinds_are_taken_over(grouped: Callable[..., Outcome], name: str) -> None:
    outcome, index = grouped(FILTERS, smallest=7), list(FILTERS).index(name)
    given = outcome.attributes(index)
    assert (given["temporal_padding"], given["spatial_padding"]) == FILTERS[name][2]
    outcome.assert_equal(only=index)


def test_a_convolution_of_one_channel_is_depthwise(run: Callable[..., Outcome]) -> None:
    outcome = run(lambda s, x: s.conv(x), channels=1, outputs=1, groups=1, padding=1)
    assert outcome.report.counts() == {"DepthwiseConv3d": 1}
    outcome.assert_equal(SHORT)


def test_a_cache_comes_in_and_the_next_goes_out(run: Callable[..., Outcome]) -> None:
    def step(s: Any, x: Tensor, cache: Tensor) -> tuple[Tensor, Tensor]:
        padded = torch.cat([cache, x], dim=2)
        return F.silu(s.conv(padded)), padded[:, :, -2:]

    outcome = run(step, cache_frames=2, results=2, **SPACE)
    (node,) = outcome.model.graph
    assert node.op_type == "DepthwiseConv3d"
    assert [value.name for value in node.outputs] == ["y_0", "y_1"]
    assert node.inputs[3] is None  # no residual
    assert outcome.report.rewritten[0].absorbed == ("padding", "cache_in", "cache_out", "bias", "silu")
    outcome.assert_equal(SHORT)


def test_a_cache_is_padded_in_space_with_the_clip(run: Callable[..., Outcome]) -> None:
    def step(s: Any, x: Tensor, cache: Tensor) -> tuple[Tensor, Tensor]:
        padded = torch.cat([cache, x], dim=2)
        return s.conv(edges(padded, 1, 1, 1, 1, 0, 0)), padded[:, :, -2:]

    outcome = run(step, cache_frames=2, results=2)
    assert outcome.operators() == ["DepthwiseConv3d"]
    assert outcome.attributes()["spatial_pad_mode"] == "replicate"
    outcome.assert_equal(SHORT)


@pytest.mark.parametrize("mode", ["constant", "replicate"])
def test_the_first_step_gives_a_cache_too(run: Callable[..., Outcome], mode: str) -> None:
    def step(s: Any, x: Tensor) -> tuple[Tensor, Tensor]:
        padded = F.pad(x, (0, 0, 0, 0, 2, 0), mode=mode)
        return s.conv(padded), padded[:, :, -2:]

    outcome = run(step, results=2, **SPACE)
    assert outcome.operators() == ["DepthwiseConv3d"]
    outcome.assert_equal(SHORT)


def test_frames_of_the_clip_alone_are_no_cache(run: Callable[..., Outcome]) -> None:
    """A clip of one frame has no two last frames, and the operator's cache has."""
    outcome = run(lambda s, x: (s.conv(causal(x)), x[:, :, -2:]), results=2, **SPACE)
    assert sorted(outcome.operators()) == ["DepthwiseConv3d", "Slice"]
    outcome.assert_equal(SHORT)


def test_a_cache_of_another_length_stays_a_part_of_the_clip(run: Callable[..., Outcome]) -> None:
    outcome = run(lambda s, x, cache: s.conv(torch.cat([cache, x], dim=2)), cache_frames=3, **SPACE)
    assert outcome.operators() == ["Concat", "DepthwiseConv3d"]
    assert outcome.attributes()["temporal_padding"] == "valid"
    outcome.assert_equal(SHORT)


def test_a_learned_cache_of_zeros_is_not_taken_for_padding(run: Callable[..., Outcome]) -> None:
    def compute(s: Any, x: Tensor) -> Tensor:
        start = s.vector.view(1, -1, 1, 1, 1).expand(x.shape[0], -1, 2, x.shape[3], x.shape[4])
        return s.conv(torch.cat([start, x], dim=2))

    def zero(model: ir.Model) -> None:
        vector = model.graph.initializers["net.vector"]
        vector.const_value = ir.tensor(np.zeros(vector.shape.numpy(), np.float32), name="net.vector")

    outcome = run(compute, before=zero, **SPACE)
    assert outcome.report.rewritten[0].absorbed == ("padding", "cache_in", "bias")
    outcome.assert_equal(SHORT)


def test_padding_that_is_read_elsewhere_is_absorbed_and_stays(run: Callable[..., Outcome]) -> None:
    outcome = run(lambda s, x: (lambda y: (s.conv(y), y.sin()))(edges(x, 1, 1, 1, 1, 1, 1)), results=2)
    assert sorted(outcome.operators()) == ["DepthwiseConv3d", "Pad", "Sin"]
    assert outcome.attributes()["spatial_padding"] == "same"
    outcome.assert_equal(SHORT)
