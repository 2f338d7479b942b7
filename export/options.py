"""How to export."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from vidrt.engine.errors import InvalidArgument
from vidrt.engine.precision import EVERY_MODULE, check_modules
from vidrt.export.spec import BundleSpec, Precision

STORAGES: tuple[Precision, ...] = ("fp16", "bf16", "fp32")
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
    """

    precisions: Mapping[str, tuple[Precision, ...]] = dataclasses.field(default_factory=dict)
    storage: Precision = "fp16"
    overwrite: bool = False
    custom_ops: bool = True
    separable: bool = True

    def precisions_of(self, module: str) -> tuple[Precision, ...]:
        """What a module's graphs compute in besides fp32."""
        return self.precisions.get(module, self.precisions.get(EVERY_MODULE, ()))


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
    steps = {options.precisions_of(name) for name in DECODER_STEPS if name in names}
    if len(steps) > 1:
        raise InvalidArgument(
            f"{' and '.join(DECODER_STEPS)} are one decoder, which has its variants for both; give both the same "
            "--precision."
        )
