"""The operators as docs/operators.md defines them, in PyTorch and float64, for ONNX's reference evaluator.

Slow, and written from the definition alone: what the graph pass makes is compared with what it started from by this.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import torch
import torch.nn.functional as F
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun
from torch import Tensor

_PAD_MODES = {"zeros": "constant", "replicate": "replicate"}
_ACTIVATIONS = {
    "none": lambda x: x,
    "relu": F.relu,
    "silu": F.silu,
    "gelu": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
}


def _pad(x: Tensor, axis: int, before: int, after: int, mode: str) -> Tensor:
    """Pad one axis of (N,C,T,H,W)."""
    amounts = [0] * 6
    amounts[2 * (4 - axis)], amounts[2 * (4 - axis) + 1] = before, after
    return F.pad(x, amounts, mode=_PAD_MODES[mode])


def depthwise(x: Tensor, w: Tensor, b: Tensor | None, cache_in: Tensor | None, given: dict[str, Any]) -> list[Tensor]:
    """activation(conv + B) without residual, and cache_out where the operator has one."""
    reach = [(taps - 1) * step for taps, step in zip(w.shape[2:], given["dilations"], strict=True)]
    cache_out = []
    if given["temporal_padding"] == "causal":
        if cache_in is None:
            x = _pad(x, 2, reach[0], 0, given["temporal_pad_mode"])
        else:
            assert cache_in.shape[2] == reach[0]
            x = torch.cat([cache_in, x], dim=2)
        cache_out = [x[:, :, x.shape[2] - reach[0] :]]
    elif given["temporal_padding"] == "same":
        x = _pad(x, 2, reach[0] // 2, reach[0] // 2, given["temporal_pad_mode"])
    if given["spatial_padding"] == "same":
        for axis in (3, 4):
            x = _pad(x, axis, reach[axis - 2] // 2, reach[axis - 2] // 2, given["spatial_pad_mode"])
    y = F.conv3d(x, w, b, stride=given["strides"], dilation=given["dilations"], groups=x.shape[1])
    return [_ACTIVATIONS[given["activation"]](y), *cache_out]


def _double(array: npt.NDArray[Any] | None) -> Tensor | None:
    return None if array is None else torch.from_numpy(np.array(array)).double()


class _Operator(OpRun):  # type: ignore[misc]
    op_domain = "vidrt"

    def _finish(self, y: Tensor, caches: list[Tensor], residual: Tensor | None) -> tuple[npt.NDArray[Any], ...]:
        results = [y if residual is None else y + residual, *caches]
        assert residual is None or residual.shape == y.shape
        return tuple(tensor.float().numpy() for tensor in results[: len(self.onnx_node.output)])


class DepthwiseConv3d(_Operator):
    def _run(self, x, w, b=None, residual=None, cache_in=None, **given):  # type: ignore[no-untyped-def]
        assert given.pop("data_layout") == "NCTHW"
        y, *caches = depthwise(_double(x), _double(w), _double(b), _double(cache_in), given)
        return self._finish(y, caches, _double(residual))


class DepthwiseSeparableConv3d(_Operator):
    def _run(self, x, w, b=None, pw=None, pb=None, residual=None, cache_in=None, **given):  # type: ignore[no-untyped-def]
        assert given.pop("data_layout") == "NCTHW"
        output_activation = _ACTIVATIONS[given.pop("output_activation")]
        y, *caches = depthwise(_double(x), _double(w), _double(b), _double(cache_in), given)
        y = output_activation(F.conv3d(y, _double(pw)[:, :, None, None, None], _double(pb)))
        return self._finish(y, caches, _double(residual))


class Conv(OpRun):  # type: ignore[misc]
    """ONNX's own loops in Python take minutes."""

    def _run(self, x, w, b=None, **given):  # type: ignore[no-untyped-def]
        assert given["auto_pad"] == "NOTSET"
        assert not any(given["pads"])
        assert given["group"] == 1
        tensors = (None if array is None else torch.from_numpy(np.array(array)) for array in (x, w, b))
        return (F.conv3d(*tensors, stride=given["strides"], dilation=given["dilations"]).numpy(),)


def evaluate(graph: Path, feeds: dict[str, npt.NDArray[Any]]) -> list[npt.NDArray[Any]]:
    """Run a graph with vidrt's operators."""
    evaluator = ReferenceEvaluator(onnx.load(graph), new_ops=[DepthwiseConv3d, DepthwiseSeparableConv3d, Conv])
    return list(evaluator.run(None, feeds))
