"""What a caller sets for a build: sizes as ranges, and how TensorRT shall build. Checked for type and range here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Literal, get_args

from vidrt.engine.errors import InvalidArgument
from vidrt.engine.precision import PRECISIONS

Backend = Literal["tensorrt", "tensorrt-rtx"]
HardwareCompatibility = Literal["none", "ampere_plus", "same_compute_capability"]

MAX_OPTIMIZATION_LEVEL = 5
_CAPABILITY = re.compile(r"\d{1,2}\.\d")


@dataclass(frozen=True)
class Range:
    """The values that an engine takes for one size, and the one that it is made fastest for.

    Attributes:
        min: The least.
        opt: The one to optimise for.
        max: The most.
    """

    min: int
    opt: int
    max: int

    @classmethod
    def parse(cls, name: str, text: str) -> Range:
        """Read "MIN:OPT:MAX", or one number for a size that never changes.

        Raises:
            InvalidArgument: It is neither, or not in ascending order from 1.
        """
        parts = text.split(":")
        if len(parts) not in (1, 3) or not all(part.strip().isdecimal() for part in parts):
            raise InvalidArgument(f"{name} must be one number or MIN:OPT:MAX, as 64:64:96, got {text!r}.")
        numbers = [int(part) for part in parts]
        low, opt, high = numbers if len(numbers) == 3 else numbers * 3
        if not 1 <= low <= opt <= high:
            raise InvalidArgument(f"{name} must ascend from 1: MIN <= OPT <= MAX, got {text!r}.")
        return cls(low, opt, high)

    def __str__(self) -> str:
        return str(self.min) if self.min == self.max else f"{self.min}:{self.opt}:{self.max}"

    def __contains__(self, size: int) -> bool:
        return self.min <= size <= self.max


@dataclass(frozen=True)
class BuildOptions:
    """How engines are built. A size of None takes what the bundle allows.

    Attributes:
        backend: "tensorrt" builds for the GPU that it runs on; "tensorrt-rtx" builds portable engines, and needs none.
        height: Pixels.
        width: Pixels.
        num_frames: Length of the clip.
        batch: Prompts a call of every module; None is what the core runs: two for the denoiser (guidance), else one.
        decode_chunk: Latent frames a call of the decoder takes.
        modules: Names of the modules to build; empty is all.
        variant: Insists on this variant of every module that has it.
        precisions: Insists on what engines compute in, as "fp16", by module; EVERY_MODULE stands for those that are not
            named. A module that nothing is said of computes in what its first variant for the backend does.
        optimization_level: 0 (quickest build) to 5 (longest search).
        workspace_bytes: The most scratch memory a layer may take; None is no limit but the device's.
        timing_cache: Whether measured kernels are kept for the next build ("tensorrt" only; for RTX there is nothing
            to measure).
        weight_streaming: Whether weights may be streamed to the GPU while the engine runs.
        strip: Leave the weights out of the plan, for a program that puts them in again with TensorRT's refitter; vidrt
            runs no such engine.
        refit: Allow weights to be replaced later.
        plugins: Libraries to load before the graphs are parsed.
        serialize_plugins: Put these libraries into the plans.
        version_compatible: Let later TensorRT versions run the plans ("tensorrt" only).
        hardware_compatibility: GPUs that shall run the plans beside this one ("tensorrt" only).
        compute_capabilities: GPUs to build for, as "8.9" ("tensorrt-rtx" only); empty is all that it is portable to.
    """

    backend: Backend
    height: Range | None = None
    width: Range | None = None
    num_frames: Range | None = None
    batch: Range | None = None
    decode_chunk: Range | None = None
    modules: tuple[str, ...] = ()
    variant: str | None = None
    precisions: Mapping[str, str] = field(default_factory=dict)
    optimization_level: int = 3
    workspace_bytes: int | None = None
    timing_cache: bool = True
    weight_streaming: bool = False
    strip: bool = False
    refit: bool = False
    plugins: tuple[Path, ...] = ()
    serialize_plugins: bool = False
    version_compatible: bool = False
    hardware_compatibility: HardwareCompatibility = "none"
    compute_capabilities: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _one_of("backend", self.backend, get_args(Backend))
        _one_of("hardware_compatibility", self.hardware_compatibility, get_args(HardwareCompatibility))
        for name in ("height", "width", "num_frames", "batch", "decode_chunk"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, Range):
                raise InvalidArgument(f"{name} must be a Range, got {value!r}; Range.parse reads text.")
        for precision in self.precisions.values():
            _one_of("precision", precision, PRECISIONS)
        if not 0 <= self.optimization_level <= MAX_OPTIMIZATION_LEVEL:
            raise InvalidArgument(
                f"optimization_level must be 0 to {MAX_OPTIMIZATION_LEVEL}, got {self.optimization_level}."
            )
        if self.workspace_bytes is not None and self.workspace_bytes <= 0:
            raise InvalidArgument(f"workspace_bytes must be above 0, got {self.workspace_bytes}.")
        for capability in self.compute_capabilities:
            if _CAPABILITY.fullmatch(capability) is None:
                raise InvalidArgument(f"a compute capability is written as 8.9, got {capability!r}.")
        self._check_backend()

    def _check_backend(self) -> None:
        if self.serialize_plugins and not self.plugins:
            raise InvalidArgument("serialize_plugins puts plugin libraries into the plans, but plugins names none.")
        if self.serialize_plugins and not self.version_compatible:
            raise InvalidArgument("serialize_plugins works with version_compatible only; set both, or neither.")
        if self.backend == "tensorrt" and self.compute_capabilities:
            raise InvalidArgument(
                "backend tensorrt builds for the GPU that it runs on; compute_capabilities is for tensorrt-rtx."
            )
        if self.backend == "tensorrt-rtx":
            wrong = [name for name, why in _NOT_RTX.items() if getattr(self, name) != _DEFAULTS[name]]
            if wrong:
                raise InvalidArgument(f"backend tensorrt-rtx has no {wrong[0]}: {_NOT_RTX[wrong[0]]}")


_DEFAULTS = {one.name: one.default for one in fields(BuildOptions)}
_NOT_RTX = {
    "plugins": "it takes no plugins from ONNX graphs. Leave them out; it builds the stock graphs.",
    "version_compatible": "an engine runs in the version that built it. Build again after an update.",
    "hardware_compatibility": "name GPUs with compute_capabilities; without them engines are portable.",
}


def _one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise InvalidArgument(f"{name} must be one of {', '.join(known)}, got {value!r}.")
