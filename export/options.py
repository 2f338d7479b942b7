"""How to export."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import cast

import onnxruntime

from vidrt import _core
from vidrt.engine.errors import Error, InvalidArgument
from vidrt.engine.precision import EVERY_MODULE, check_modules
from vidrt.export.spec import INT8, BundleSpec, ModuleSpec, Precision

STORAGES: tuple[Precision, ...] = ("fp16", "bf16", "fp32")
INT8_ONNXRUNTIME = (1, 23)
"""The first with a processor kernel for eight bits that leaves activations in float32."""
DECODER_STEPS = ("vae_decoder_first", "vae_decoder_next")


@dataclasses.dataclass(frozen=True)
class ExportOptions:
    """How to export.

    Args:
        precisions: What modules get graphs to compute in besides fp32, by module; EVERY_MODULE stands for those that
            are not named. TensorRT prefers the first.
        storage: What the weights are stored in.
        overwrite: Whether to replace a bundle that lies at the target.
        custom_ops: Whether modules with depthwise 3D convolutions get variants with vidrt's operators as well.
        separable: Whether a depthwise convolution and the 1x1x1 convolution after it become one operator there.
        int8_alone: Whether modules with INT8 among their precisions get no other graphs, and the weights that are then
            not needed are not stored.
    """

    precisions: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    storage: Precision = "fp16"
    overwrite: bool = False
    custom_ops: bool = True
    separable: bool = True
    int8_alone: bool = False

    def precisions_of(self, module: str) -> tuple[Precision, ...]:
        """What a module's graphs compute in besides fp32."""
        return cast(tuple[Precision, ...], tuple(word for word in self._wishes(module) if word != INT8))

    def int8_of(self, module: str) -> bool:
        """Whether a module gets graphs with weights of eight bits."""
        return INT8 in self._wishes(module)

    def _wishes(self, module: str) -> tuple[str, ...]:
        return self.precisions.get(module, self.precisions.get(EVERY_MODULE, ()))


def check_scheduler(spec: BundleSpec) -> None:
    """Raise InvalidArgument where the core does not run a model's scheduler with its default steps."""
    if spec.scheduler is None or spec.defaults.num_inference_steps is None:
        return
    try:
        _core.scheduler_table(json.dumps(dict(spec.scheduler)), "", spec.defaults.num_inference_steps)
    except Error as error:
        raise InvalidArgument(f"the scheduler of {spec.name}: {error}") from error


def check_options(spec: BundleSpec, options: ExportOptions) -> None:
    """Raise InvalidArgument where options do not fit a model, or each other."""
    if options.storage not in STORAGES:
        raise InvalidArgument(f"got --storage {options.storage}, expected one of {', '.join(STORAGES)}.")
    names = [module.name for module in spec.modules]
    check_modules(options.precisions, names, spec.name)
    for module in spec.modules:
        for precision in options.precisions_of(module.name):
            if precision not in spec.compute or precision not in module.tolerance:
                raise InvalidArgument(
                    f"{spec.family} computes in {' or '.join(spec.compute)}, got --precision {precision} for "
                    f"{module.name}; a narrower storage of the weights is --storage."
                )
        if options.int8_of(module.name):
            _check_int8(spec, module)
    if options.int8_alone and not any(options.int8_of(name) for name in names):
        raise InvalidArgument("got --int8-alone, but no module has int8; expected --precision text_encoder=int8.")
    steps = {options.precisions_of(name) for name in DECODER_STEPS if name in names}
    if len(steps) > 1:
        raise InvalidArgument(
            f"{' and '.join(DECODER_STEPS)} are one decoder, which has its variants for both; give both the same "
            "--precision."
        )


def _check_int8(spec: BundleSpec, module: ModuleSpec) -> None:
    if INT8 not in module.tolerance:
        known = [item.name for item in spec.modules if INT8 in item.tolerance]
        raise InvalidArgument(
            f"{spec.family} has int8 for {' and '.join(known) or 'no module'}, got it for {module.name}; write it with "
            "the module, as text_encoder=int8."
        )
    version = tuple(int(part) for part in onnxruntime.__version__.split(".")[:2])
    if version < INT8_ONNXRUNTIME:
        raise InvalidArgument(
            f"int8 needs ONNX Runtime {'.'.join(map(str, INT8_ONNXRUNTIME))} or later to compare its graphs with "
            f"PyTorch, this is {onnxruntime.__version__}; install a later one, or leave int8 out."
        )
