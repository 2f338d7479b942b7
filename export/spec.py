"""Declarations: what the modules of a model family look like and what else its bundle says. No code of the export."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from vidrt.export.errors import ExportError

Precision = Literal["fp32", "fp16", "bf16"]
"""A floating-point type, of computation or of stored weights, by the manifest's words."""

INT8 = "int8"
"""The word for linear layers with weights of eight bits, among the precisions that are wished for."""

Sampler = Callable[[tuple[int, ...], torch.Generator], Tensor]
"""Makes a sample input of a shape."""

Sizes = Mapping[str, int]
"""A value for each symbol of a module's shapes."""

TORCH_DTYPES: Mapping[str, torch.dtype] = {"float32": torch.float32, "int64": torch.int64}
"""What may cross a module's border, by the manifest's words."""

_ONNX_DTYPES = {"float32": "FLOAT", "int64": "INT64"}


@dataclasses.dataclass(frozen=True)
class Extent:
    """The values that a symbol may take: min, min + step, ... up to max. min is a multiple of step."""

    min: int
    max: int
    step: int = 1


@dataclasses.dataclass(frozen=True)
class TensorSpec:
    """An input or output of a module.

    Args:
        name: As docs/bundle.md calls it.
        dtype: A key of TORCH_DTYPES.
        shape: Numbers, symbols ("T") and products of one symbol and a number ("h*4").
        sample: Makes sample inputs; needed for inputs only.
    """

    name: str
    dtype: str
    shape: tuple[int | str, ...]
    sample: Sampler | None = None

    def __post_init__(self) -> None:
        if self.dtype not in TORCH_DTYPES:
            raise ExportError(f"tensor {self.name}: got dtype {self.dtype!r}, expected one of {list(TORCH_DTYPES)}.")
        for dimension in self.shape:
            parse_dimension(dimension)

    @property
    def onnx_dtype(self) -> str:
        """The name of the dtype among ONNX's data types."""
        return _ONNX_DTYPES[self.dtype]

    def concrete(self, sizes: Sizes) -> tuple[int, ...]:
        """The shape at given sizes. Raises ExportError for a symbol without a size."""
        return tuple(_evaluate(dimension, sizes, self.name) for dimension in self.shape)


@dataclasses.dataclass(frozen=True)
class ModuleSpec:
    """One network, or one step of it, that becomes one ONNX graph.

    Args:
        name: The module's name in the bundle.
        build: Makes the module; its forward takes the inputs in order and returns the outputs in order.
        build_for_processor: Makes the same computation in the form that ONNX Runtime's processor kernels do fastest,
            with operators of ONNX Runtime's own where they serve; only ever traced. None where `build` is that.
        processor_inputs: What that form takes besides the inputs, after them; forward() of what `build` makes may be
            given it as well.
        inputs: Declared inputs.
        outputs: Declared outputs.
        extents: The range of every symbol of the inputs.
        trace: Sizes of the traced call. None may be 1: PyTorch then takes the dimension for a constant.
        cases: Sizes at which the graph is compared with PyTorch.
        tolerance: Largest absolute difference allowed, by compute precision; under INT8, with weights of eight bits.
        least_cosine: Smallest cosine allowed between rows of outputs and PyTorch's with weights of eight bits.
    """

    name: str
    build: Callable[[], nn.Module]
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    extents: Mapping[str, Extent]
    trace: Sizes
    cases: tuple[Sizes, ...]
    tolerance: Mapping[str, float]
    least_cosine: float = 0.999
    build_for_processor: Callable[[], nn.Module] | None = None
    processor_inputs: tuple[TensorSpec, ...] = ()

    def __post_init__(self) -> None:
        names = [spec.name for spec in (*self.inputs, *self.outputs)]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ExportError(f"module {self.name}: the tensor {repeated[0]!r} is declared twice.")
        for spec in self.inputs:
            if spec.sample is None:
                raise ExportError(f"module {self.name}: the input {spec.name!r} has no sampler.")
        for sizes in (self.trace, *self.cases):
            self._check_sizes(sizes)
        constant = [symbol for symbol, size in self.trace.items() if size == 1]
        if constant:
            raise ExportError(f"module {self.name}: the traced size of {constant[0]!r} is 1, expected at least 2.")
        if not self.cases:
            raise ExportError(f"module {self.name}: no cases to compare with PyTorch.")

    @property
    def processor_form(self) -> ModuleSpec | None:
        """The declaration of the form for processors; None where there is none."""
        if self.build_for_processor is None:
            return None
        return dataclasses.replace(
            self,
            build=self.build_for_processor,
            inputs=(*self.inputs, *self.processor_inputs),
            build_for_processor=None,
            processor_inputs=(),
        )

    def _check_sizes(self, sizes: Sizes) -> None:
        for spec in (*self.inputs, *self.outputs):
            spec.concrete(sizes)
        for symbol, extent in self.extents.items():
            size = sizes.get(symbol, 0)
            if not extent.min <= size <= extent.max or size % extent.step != 0:
                raise ExportError(
                    f"module {self.name}: got {symbol} = {size}, expected {extent.min} to {extent.max} "
                    f"in steps of {extent.step}."
                )

    def sample_inputs(self, sizes: Sizes, seed: int) -> tuple[Tensor, ...]:
        """Inputs of a size; the same for the same seed."""
        generator = torch.Generator().manual_seed(seed)
        samples = []
        for spec in self.inputs:
            assert spec.sample is not None  # __post_init__
            samples.append(spec.sample(spec.concrete(sizes), generator).to(TORCH_DTYPES[spec.dtype]))
        return tuple(samples)


@dataclasses.dataclass(frozen=True)
class Part:
    """Networks whose weights lie in one file, and what is exported of them. A part is finished before the next begins.

    Args:
        networks: The networks by the prefix of their weights in the file. Their weights may be of any floating-point
            type and lie in mapped files (mapped_weights.py): they are read one by one.
        modules: What is exported of them.
    """

    networks: Mapping[str, nn.Module]
    modules: tuple[ModuleSpec, ...]


@dataclasses.dataclass(frozen=True)
class TokenizerSpec:
    """The manifest's tokenizer, and the content of its files by path.

    Args:
        kind: How the files are read.
        files: Their content by path.
        max_length: Tokens of a prompt, the end marker included.
        pad_id: Fills up to max_length.
        eos_id: Ends every prompt.
        unk_id: Stands for unknown text.
        added_tokens: Ids of the texts that are split off a prompt first.
        byte_fallback: False: text that a sentencepiece model would spell in bytes is unknown.
        bos_id: Begins every prompt of a clip_bpe tokenizer; None for the other kinds.
        normalized_added_tokens: Ids of the texts that a clip_bpe tokenizer splits off a prompt once it is normalised.
    """

    kind: Literal["wordlevel", "sentencepiece", "clip_bpe"]
    files: Mapping[str, bytes]
    max_length: int
    pad_id: int
    eos_id: int
    unk_id: int | None = None
    added_tokens: Mapping[str, int] = dataclasses.field(default_factory=dict)
    byte_fallback: bool = True
    bos_id: int | None = None
    normalized_added_tokens: Mapping[str, int] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Limit:
    """Valid values min, min + step, ... up to max, and the range in which quality was measured, if it was."""

    min: int
    max: int
    step: int
    measured: tuple[int, int] | None


@dataclasses.dataclass(frozen=True)
class VaeSpec:
    """How latents relate to frames.

    Args:
        form: How the decoder is cut into calls.
        temporal_ratio: Frames of a latent frame.
        spatial_ratio: Pixels of a latent's side.
        latent_channels: C of the latents.
        single_first_frame: Whether the first latent frame stands for one frame alone; None is what the form does.
        receptive_field: Latent frames before and after a latent frame that its frames depend on, with which a decoder
            of form whole can be run over parts of a clip.
    """

    form: Literal["causal", "framewise", "whole"]
    temporal_ratio: int
    spatial_ratio: int
    latent_channels: int
    single_first_frame: bool | None = None
    receptive_field: tuple[int, int] | None = None


@dataclasses.dataclass(frozen=True)
class Defaults:
    """What a generation uses where its caller says nothing. A decoder alone has no use for those that are None."""

    height: int
    width: int
    num_frames: int
    num_inference_steps: int | None
    guidance_scale: float | None
    negative_prompt: str | None
    fps: float


@dataclasses.dataclass(frozen=True)
class BundleSpec:
    """All that a bundle is made of.

    Args:
        parts: All that a generation needs, or the decoder alone. A small model is one part.
        compute: Precisions that the networks may compute in.
        tokenizer: None for a decoder alone.
        scheduler: A diffusers scheduler config, `_class_name` included; None for a decoder alone.
        limits: By "height", "width" and "num_frames".
        zero_after_mask: Whether text_embeds rows after the mask are zero.
        text_cleaning: What is done to prompts before they are tokenised (docs/bundle.md).
        text_ftfy: Whether prompts are put right with ftfy.fix_text before that, where it is installed.
        exclusive_words: What excludes each other in a prompt, by what it is: values, each the phrases that mean it.
        guidance_off_at: A guidance scale at or below it runs the positive prompt alone.
        sources: All files that the networks and everything else here come from, where an interrupted export is worth
            going on with.
    """

    name: str
    family: str
    license: str
    parts: tuple[Part, ...]
    compute: tuple[Precision, ...]
    tokenizer: TokenizerSpec | None
    scheduler: Mapping[str, Any] | None
    limits: Mapping[str, Limit]
    vae: VaeSpec
    defaults: Defaults
    zero_after_mask: bool = False
    text_cleaning: Literal["none", "whitespace", "html"] = "none"
    text_ftfy: bool = False
    exclusive_words: Mapping[str, Sequence[Sequence[str]]] = dataclasses.field(default_factory=dict)
    guidance_off_at: float = 1.0
    image_conditioning: Literal["none", "first_latent_frame"] = "none"
    sources: tuple[Path, ...] = ()

    @property
    def modules(self) -> tuple[ModuleSpec, ...]:
        """The modules of all parts."""
        return tuple(module for part in self.parts for module in part.modules)

    @property
    def networks(self) -> dict[str, nn.Module]:
        """The networks of all parts by the prefix of their weights."""
        return {prefix: network for part in self.parts for prefix, network in part.networks.items()}


def parse_dimension(dimension: int | str) -> tuple[str | None, int]:
    """Split a dimension into symbol and factor: 3 -> (None, 3), "h" -> ("h", 1), "h*4" -> ("h", 4).

    Raises:
        ExportError: It is none of these.
    """
    if isinstance(dimension, int):
        if dimension > 0:
            return None, dimension
    else:
        symbol, star, factor = dimension.partition("*")
        if symbol.isidentifier() and (not star or (factor.isdecimal() and int(factor) > 0)):
            return symbol, int(factor or 1)
    raise ExportError(f"got the dimension {dimension!r}, expected a positive number, a symbol, or one as h*4.")


def _evaluate(dimension: int | str, sizes: Sizes, tensor: str) -> int:
    symbol, factor = parse_dimension(dimension)
    if symbol is None:
        return factor
    if symbol not in sizes:
        raise ExportError(f"tensor {tensor}: the symbol {symbol!r} has no size; expected one of {sorted(sizes)}.")
    return sizes[symbol] * factor
