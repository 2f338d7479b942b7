"""The one place that calls torch.onnx.export."""

from __future__ import annotations

import contextlib
import inspect
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import onnx_ir as ir
import torch
from torch import nn
from torch.export import Dim

from vidrt.export.errors import ExportError
from vidrt.export.spec import ModuleSpec, TensorSpec, parse_dimension
from vidrt.export.stand_ins import fake_weights

OPSET = 22
"""From 23 on, attention becomes one operator that TensorRT refuses where it has no fused kernel (fp32, wide heads)."""

_SAMPLE_SEED = 0


def trace(spec: ModuleSpec, module: nn.Module) -> ir.Model:
    """Trace a module with the declared dynamic shapes.

    Nothing is optimised yet: with weights in sight, PyTorch's own optimiser would fold them into new constants, and
    merge those that happen to be equal (graph_passes.py).

    Args:
        spec: The declaration.
        module: What spec.build() made, in evaluation mode.

    Returns:
        The graph: inputs and outputs carry the declared names and shapes, initialisers the module's parameter names,
        but for constants without their numbers.

    Raises:
        ExportError: It cannot be traced, or is not what was declared.
    """
    inputs = spec.sample_inputs(spec.trace, _SAMPLE_SEED)
    try:
        # With gradients on, some models refuse a dynamic batch.
        with torch.no_grad(), fake_weights(module), _quiet():
            program = torch.onnx.export(
                module,
                inputs,
                dynamo=True,
                optimize=False,
                opset_version=OPSET,
                input_names=[tensor.name for tensor in spec.inputs],
                output_names=[tensor.name for tensor in spec.outputs],
                dynamic_shapes=_dynamic_shapes(spec, module),
                verbose=False,
            )
    except Exception as error:  # torch raises what it likes; which module it was matters
        reason = str(error).strip().splitlines()[0] if str(error).strip() else "no reason given"
        raise ExportError(f"module {spec.name}: it cannot be traced: {type(error).__name__}: {reason}") from error
    assert program is not None  # it is when dynamo=True
    _declare(program.model.graph.inputs, spec.inputs, f"module {spec.name}: input")
    _declare(program.model.graph.outputs, spec.outputs, f"module {spec.name}: output")
    return program.model


def _dynamic_shapes(spec: ModuleSpec, module: nn.Module) -> tuple[Any, ...]:
    base = {
        # PyTorch states a step by a symbol that counts in it.
        symbol: Dim(
            symbol if extent.step == 1 else f"{symbol}_steps",
            min=extent.min // extent.step,
            max=extent.max // extent.step,
        )
        for symbol, extent in spec.extents.items()
    }

    def dims(tensor: TensorSpec) -> dict[int, Any]:
        result = {}
        for axis, dimension in enumerate(tensor.shape):
            symbol, factor = parse_dimension(dimension)
            if symbol is not None:
                factor *= spec.extents[symbol].step
                result[axis] = base[symbol] if factor == 1 else factor * base[symbol]
        return result

    shapes: tuple[Any, ...] = tuple(dims(tensor) for tensor in spec.inputs)
    parameters = list(inspect.signature(module.forward).parameters.values())
    if parameters and parameters[-1].kind is inspect.Parameter.VAR_POSITIONAL:
        named = len(parameters) - 1  # what *args takes is one nested tuple to torch.export
        shapes = (*shapes[:named], shapes[named:])
    return shapes


def _declare(values: Any, specs: tuple[TensorSpec, ...], what: str) -> None:
    """Check traced inputs or outputs against their declaration, and give dimensions the declared symbols."""
    if len(values) != len(specs):
        raise ExportError(f"{what}s: the module has {len(values)}, {len(specs)} are declared.")
    for value, spec in zip(values, specs, strict=True):
        traced = [dim if isinstance(dim, int) else str(dim) for dim in value.shape]
        kinds = [isinstance(dim, int) for dim in traced]
        fixed = [dim if isinstance(dim, int) else None for dim in spec.shape]
        if kinds != [dim is not None for dim in fixed] or any(
            dim is not None and dim != got for dim, got in zip(fixed, traced, strict=True)
        ):
            raise ExportError(f"{what} {spec.name}: the traced shape is {traced}, {list(spec.shape)} is declared.")
        if value.dtype is None or value.dtype.name != spec.onnx_dtype:
            raise ExportError(f"{what} {spec.name}: the traced dtype is {value.dtype}, {spec.dtype} is declared.")
        value.name = spec.name
        value.shape = ir.Shape(spec.shape)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence what an exporter's user can do nothing about: absent torchvision operators, merged dimension names."""
    logger = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
