"""Does a graph compute what PyTorch computes? ONNX Runtime against the module, on the very files of the bundle.

A graph of low precision is emulated (precision/emulation.py): ONNX Runtime's processor kernels do not compute in it.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import onnxruntime
import torch
from torch import nn

import vidrt
from vidrt.export.errors import ExportError
from vidrt.export.spec import ModuleSpec, Sizes


@dataclasses.dataclass(frozen=True)
class Parity:
    """What was measured: the largest absolute difference over all outputs and cases.

    `method` is "run" where the graph itself ran, "emulated" where its rounding was computed in fp32. `cosine` is the
    smallest cosine between a row of an output (its last axis) and PyTorch's, rows of zeros left out; it is measured,
    and `least_cosine` demanded, of graphs with weights of eight bits alone.
    """

    max_abs: float
    tolerance: float
    cases: int
    method: Literal["run", "emulated"] = "run"
    cosine: float | None = None
    least_cosine: float | None = None


@dataclasses.dataclass(frozen=True)
class Allowed:
    """The largest absolute difference, and the smallest cosine between rows where that is measured."""

    max_abs: float
    cosine: float | None = None


def open_session(graph: Path, *, custom_ops: bool = False, frugal: bool = False) -> onnxruntime.InferenceSession:
    """A CPU session of a graph, with vidrt's operators where asked for.

    Args:
        graph: The graph's file, beside its weights.
        custom_ops: Whether it has operators of vidrt.
        frugal: Whether the weights are too large to be held twice: nothing is folded or packed, each weight is widened
            as it is used, and what is stored as it is used stays mapped.

    Raises:
        ExportError: ONNX Runtime refuses the graph.
        BackendError: The library with the operators is missing.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # the samples are small, and results do not depend on the machine's load
    if frugal:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.add_session_config_entry("session.disable_prepacking", "1")
        options.enable_cpu_mem_arena = False
        # As they stand in the file, where a weight is widened right before its use. By default ONNX Runtime begins with
        # what depends on nothing: all weights were widened first.
        options.execution_order = onnxruntime.ExecutionOrder.PRIORITY_BASED
    if custom_ops:
        options.register_custom_ops_library(str(vidrt.custom_ops_library()))
    try:
        return onnxruntime.InferenceSession(str(graph), sess_options=options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's exceptions have no common base
        raise ExportError(f"{graph.name}: ONNX Runtime refuses the graph: {error}") from error


def measure(spec: ModuleSpec, module: nn.Module, session: onnxruntime.InferenceSession, allowed: Allowed) -> Parity:
    """Compare a session with its module at every case of the declaration.

    Args:
        spec: The declaration.
        module: The module with rounded weights, in evaluation mode.
        session: The graph's.
        allowed: What the two may differ by.

    Raises:
        ExportError: Shapes differ, a value is not finite, or the difference is larger than allowed.
    """
    worst, cosine = 0.0, 1.0
    for seed, sizes in enumerate(spec.cases):
        inputs = spec.sample_inputs(sizes, seed)
        with torch.no_grad():
            result = module(*inputs)
        expected = [tensor.numpy() for tensor in (result if isinstance(result, tuple) else (result,))]
        feeds = {tensor.name: value.numpy() for tensor, value in zip(spec.inputs, inputs, strict=True)}
        try:
            got = session.run([tensor.name for tensor in spec.outputs], feeds)
        except Exception as error:  # as above
            raise ExportError(f"{_place(spec, sizes)}: ONNX Runtime fails: {error}") from error
        for tensor, mine, theirs in zip(spec.outputs, got, expected, strict=True):
            difference = _difference(mine, theirs, f"{_place(spec, sizes)}: {tensor.name}")
            if not difference <= allowed.max_abs:
                raise ExportError(
                    f"{_place(spec, sizes)}: {tensor.name} differs from PyTorch by {difference:.3g}, allowed are "
                    f"{allowed.max_abs:.3g}. Nothing was written."
                )
            worst = max(worst, difference)
            if allowed.cosine is None:
                continue
            cosine = min(cosine, _least_cosine(mine, theirs))
            if not cosine >= allowed.cosine:
                raise ExportError(
                    f"{_place(spec, sizes)}: a row of {tensor.name} has the cosine {cosine:.6f} with PyTorch's, "
                    f"allowed are {allowed.cosine:.6f} and more. Nothing was written."
                )
    if allowed.cosine is None:
        return Parity(worst, allowed.max_abs, len(spec.cases))
    return Parity(worst, allowed.max_abs, len(spec.cases), cosine=cosine, least_cosine=allowed.cosine)


def _place(spec: ModuleSpec, sizes: Sizes) -> str:
    return f"module {spec.name} at " + ", ".join(f"{symbol}={size}" for symbol, size in sizes.items())


def _difference(got: npt.NDArray[np.float32], expected: npt.NDArray[np.float32], what: str) -> float:
    if got.shape != expected.shape:
        raise ExportError(f"{what} has the shape {got.shape}, PyTorch gives {expected.shape}.")
    if not (np.isfinite(got).all() and np.isfinite(expected).all()):
        raise ExportError(f"{what} holds values that are not finite.")
    return float(np.abs(got.astype(np.float64) - expected.astype(np.float64)).max(initial=0.0))


def _least_cosine(got: npt.NDArray[np.float32], expected: npt.NDArray[np.float32]) -> float:
    mine, theirs = (array.astype(np.float64).reshape(-1, array.shape[-1]) for array in (got, expected))
    rows = np.linalg.norm(theirs, axis=-1) > 0
    norms = np.linalg.norm(mine[rows], axis=-1) * np.linalg.norm(theirs[rows], axis=-1)
    products = (mine[rows] * theirs[rows]).sum(-1)
    # A row that became zeros has no direction, and so nothing in common with one that has.
    return float(np.divide(products, norms, out=np.zeros_like(norms), where=norms > 0).min(initial=1.0))
