"""A convolution that is none of the operators stays as it is, and the report says why."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import onnx_ir as ir
import pytest
import torch.nn.functional as F
from torch import Tensor

from vidrt.export.depthwise.report import Report

Outcome = Any
"""Of conftest.py."""

SKIPPED: dict[str, Any] = {
    "two filters a channel": (
        lambda s, x: s.conv(x),
        {"outputs": 8, "padding": 1},
        "it has 2 filters for each channel; expected one",
    ),
    "larger groups": (
        lambda s, x: s.conv(x),
        {"groups": 2, "padding": 1},
        "it has 4 channels in 2 groups; expected one channel a group",
    ),
    "an even kernel": (
        lambda s, x: s.conv(x),
        {"kernel_size": (3, 2, 3), "padding": "same"},
        "its padding along height is (0, 1) for 2 taps; expected (0, 0)",
    ),
    "padded on one side": (
        lambda s, x: s.conv(F.pad(x, (0, 1, 0, 1))),
        {"padding": (1, 0, 0), "stride": (1, 2, 2)},
        "its padding along height is (0, 1) for 3 taps; expected (1, 1) or (0, 0)",
    ),
    "too much in time": (
        lambda s, x: s.conv(x),
        {"padding": 2, "kernel_size": (3, 5, 5)},
        "its padding along time is (2, 2) for 3 taps; expected (1, 1) or (2, 0) or (0, 0)",
    ),
    "height alone": (
        lambda s, x: s.conv(x),
        {"padding": (1, 1, 0)},
        "it pads height as 'same' and width as 'valid'; expected both alike",
    ),
    "zeros around replicas": (
        lambda s, x: s.conv(F.pad(x, (1, 1, 1, 1, 0, 0), mode="replicate")),
        {"padding": (0, 1, 1), "kernel_size": (1, 5, 5)},
        "its padding along height is (1, 1) for 5 taps; expected (2, 2) or (0, 0)",
    ),
    "height replicated, width zeros": (
        lambda s, x: s.conv(F.pad(x, (0, 0, 1, 1, 0, 0), mode="replicate")),
        {"padding": (1, 0, 1)},
        "it pads height and width with different things; expected zeros or replicas for both",
    ),
    "a weight of the moment": (
        lambda s, x: F.conv3d(x, s.conv.weight * x.mean(), padding=1, groups=4),
        {},
        "its weight is computed by the graph; expected a constant",
    ),
    "a bias of the moment": (
        lambda s, x: F.conv3d(x, s.conv.weight, s.vector * x.mean(), padding=1, groups=4),
        {},
        "its bias is computed by the graph; expected a constant",
    ),
    "a large kernel": (
        lambda s, x: s.conv(x),
        {"kernel_size": 9, "padding": 4},
        "its kernel is 9x9x9; expected at most 7 taps along an axis",
    ),
    "float64": (
        lambda s, x: F.conv3d(x.double(), s.conv.weight.double(), padding=1, groups=4).float(),
        {},
        "it computes in DOUBLE; expected FLOAT, FLOAT16 or BFLOAT16",
    ),
}

pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")


@pytest.mark.parametrize("name", SKIPPED)
def test_the_report_names_the_node_and_says_why_it_stays(grouped: Callable[..., Outcome], name: str) -> None:
    outcome, index = grouped(SKIPPED, smallest=3), list(SKIPPED).index(name)
    skipped = outcome.report.skipped[index]
    assert skipped.reason == SKIPPED[name][2]
    assert skipped.node in [node.name for node in outcome.model.graph]


def test_a_graph_with_nothing_to_rewrite_stays_as_it_is(grouped: Callable[..., Outcome]) -> None:
    outcome = grouped(SKIPPED, smallest=3)
    assert not outcome.report.rewritten
    assert outcome.after.read_bytes().replace(b"after", b"stock") == outcome.stock.read_bytes()


def test_padding_that_is_chosen_at_run_time_is_left_alone(run: Callable[..., Outcome]) -> None:
    def automatic(model: ir.Model) -> None:
        (node,) = [node for node in model.graph if node.op_type == "Conv"]
        del node.attributes["pads"]
        node.attributes["auto_pad"] = ir.AttrString("auto_pad", "SAME_UPPER")

    outcome = run(lambda s, x: s.conv(x), padding=1, before=automatic)
    assert outcome.report.skipped[0].reason == "its padding is chosen at run time (auto_pad SAME_UPPER); expected pads"


def test_dense_and_2d_convolutions_are_nothing_to_report(run: Callable[..., Outcome]) -> None:
    def compute(s: Any, x: Tensor) -> Tensor:
        flat = F.conv2d(x.flatten(1, 2)[:, :4], s.vector.view(-1, 1, 1, 1), groups=4)
        return s.conv(x) * flat.mean()

    outcome = run(compute, groups=1, padding=1)
    assert outcome.report == Report()
    assert "Conv" in outcome.operators()
