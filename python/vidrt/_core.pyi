"""The C++ core. Private: use the names of the package `vidrt`."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

__version__: Final[str]
assertions: Final[bool]

class Error(Exception): ...
class InvalidArgument(Error, ValueError): ...
class BundleError(Error): ...
class BackendError(Error): ...
class OutOfMemory(Error, MemoryError): ...
class IoError(Error, OSError): ...
class Cancelled(Error): ...

class MissingEngine(BackendError):
    """No engine of a module fits.

    Attributes:
        module: The module.
        variant: Of it; "" for any.
        sizes: The least and the most that it must take, by the names that sidecars have.
    """

    module: str
    variant: str
    sizes: dict[str, tuple[int, int]]

class TensorSpec:
    name: Final[str]
    dtype: Final[str]
    shape: Final[tuple[str, ...]]

class Parity:
    max_abs: Final[float]
    tolerance: Final[float]
    cases: Final[int]
    method: Final[str]
    cosine: Final[float | None]
    least_cosine: Final[float | None]

class Variant:
    id: Final[str]
    file: Final[str]
    sha256: Final[str]
    bytes: Final[int]
    weight_bytes: Final[int]
    data_files: Final[list[str]]
    opset: Final[int]
    precision: Final[str]
    storage: Final[str]
    custom_ops: Final[list[str]]
    backends: Final[list[str]]
    inputs: Final[list[TensorSpec]]
    outputs: Final[list[TensorSpec]]
    parity: Final[Parity | None]

class Module:
    name: Final[str]
    variants: Final[list[Variant]]

class DataFile:
    bytes: Final[int]
    sha256: Final[str]

class TokenizerConfig:
    kind: Final[str]
    files: Final[list[str]]
    max_length: Final[int]
    pad_id: Final[int]
    eos_id: Final[int]
    unk_id: Final[int | None]
    bos_id: Final[int | None]
    byte_fallback: Final[bool]
    added_tokens: Final[dict[str, int]]
    normalized_added_tokens: Final[dict[str, int]]

class Limit:
    min: Final[int]
    max: Final[int]
    step: Final[int]
    measured_min: Final[int]
    measured_max: Final[int]

class VaeConfig:
    form: Final[str]
    temporal_ratio: Final[int]
    spatial_ratio: Final[int]
    latent_channels: Final[int]
    single_first_frame: Final[bool]
    receptive_field: Final[tuple[int, int] | None]

class Defaults:
    height: Final[int]
    width: Final[int]
    num_frames: Final[int]
    num_inference_steps: Final[int]
    guidance_scale: Final[float]
    negative_prompt: Final[str]
    fps: Final[float]

class Manifest:
    schema_version: Final[int]
    name: Final[str]
    family: Final[str]
    license: Final[str]
    decoder_only: Final[bool]
    tokenizer: Final[TokenizerConfig]
    scheduler_json: Final[str]
    height: Final[Limit]
    width: Final[Limit]
    num_frames: Final[Limit]
    vae: Final[VaeConfig]
    guidance_off_at: Final[float]
    text_length: Final[int]
    zero_after_mask: Final[bool]
    text_cleaning: Final[str]
    text_ftfy: Final[bool]
    exclusive_words: Final[dict[str, list[list[str]]]]
    image_conditioning: Final[str]
    defaults: Final[Defaults]
    data_files: Final[dict[str, DataFile]]
    modules: Final[dict[str, Module]]

def require_clip_encoder(manifest: Manifest) -> None:
    """Raise InvalidArgument saying why, where a generation cannot start from a clip."""

def generation_modules(manifest: Manifest) -> list[str]:
    """The names of the modules that a pipeline of this bundle runs."""

class Bundle:
    @staticmethod
    def open(path: str | os.PathLike[str]) -> Bundle: ...
    path: Final[str]
    manifest: Final[Manifest]
    manifest_json: Final[str]
    def resolve(self, relative: str) -> str: ...
    def operators(self, variant: Variant) -> dict[str, int]: ...
    def verify_weights(self) -> None: ...

class Tokens:
    ids: Final[list[int]]
    unknown_words: Final[list[str]]

class PaddedTokens:
    input_ids: Final[list[int]]
    attention_mask: Final[list[int]]
    truncated: Final[bool]

class Tokenizer:
    def __init__(self, bundle: Bundle) -> None: ...
    def encode(self, text: str) -> Tokens: ...
    def fit(self, prompt: str, config: TokenizerConfig, truncate: bool = False) -> PaddedTokens:
        """Tokenise a prompt and pad or cut it. Raises InvalidArgument for one that is too long and may not be cut."""

def load_tokenizer(
    folder: str | os.PathLike[str],
    kind: str,
    files: list[str],
    *,
    max_length: int,
    pad_id: int,
    eos_id: int,
    unk_id: int | None = None,
    added_tokens: dict[str, int] = {},
    byte_fallback: bool = True,
    bos_id: int | None = None,
    normalized_added_tokens: dict[str, int] = {},
) -> Tokenizer:
    """A tokenizer without a bundle around it."""

def clean_prompt(text: str, cleaning: str) -> str:
    """What a tokenizer of a bundle with this `text.cleaning` is given of a prompt."""

class PromptEmbeds:
    """The text encoder's output for one prompt.

    Args:
        text_embeds: (L, D) float32.
        text_mask: (L,) int64, 1 for a token and 0 for padding.
        prompt: What was encoded, for people.
        encoder_id: SHA-256 over the text encoder and tokenizer it came from; a pipeline takes only its own.

    Raises:
        InvalidArgument: If the shapes do not fit together.
    """

    def __init__(
        self,
        text_embeds: npt.NDArray[np.float32],
        text_mask: npt.NDArray[np.int64],
        prompt: str = "",
        encoder_id: str = "",
    ) -> None: ...
    prompt: Final[str]
    encoder_id: Final[str]
    @property
    def text_embeds(self) -> npt.NDArray[np.float32]:
        """(L, D) float32, a read-only view."""
    @property
    def text_mask(self) -> npt.NDArray[np.int64]:
        """(L,) int64, a read-only view."""
    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a safetensors file, whole or not at all. Raises IoError."""
    @staticmethod
    def load(path: str | os.PathLike[str]) -> PromptEmbeds:
        """Read what save() wrote. Raises InvalidArgument for another kind of file, IoError if it cannot be read."""

class PipelineOptions:
    backend: str
    device: str
    threads: int
    memory_budget: int
    embeds_cache: int
    variant: str
    cuda_graphs: bool
    profile_layers: bool

def resolve_backend(options: PipelineOptions) -> PipelineOptions:
    """The same with the backend that "auto" is and the device that it runs on. Raises InvalidArgument."""

class VaeTiling:
    mode: str
    tile_sample_min_height: int
    tile_sample_min_width: int
    tile_sample_stride_height: int
    tile_sample_stride_width: int

class GenerateOptions:
    prompt: str
    negative_prompt: str | None
    height: int | None
    width: int | None
    num_frames: int | None
    num_inference_steps: int | None
    guidance_scale: float | None
    seed: int | None
    fps: float | None
    scheduler: str
    strength: float | None
    step_cache: float
    truncate: bool
    decode_chunk: int
    vae_tiling: VaeTiling
    output_type: str
    keep_frames: bool

class DecodeOptions:
    fps: float | None
    decode_chunk: int
    vae_tiling: VaeTiling
    output_type: str
    keep_frames: bool

class PlannedTensor:
    name: Final[str]
    bytes: Final[int]
    offset: Final[int]
    first_stage: Final[int]
    last_stage: Final[int]

class PlannedModule:
    name: Final[str]
    weight_bytes: Final[int]
    streamed_bytes: Final[int]
    packed_bytes: Final[int]
    activation_bytes: Final[int]
    activation_terms: Final[list[float]]

class PlannedTiles:
    rows: Final[int]
    columns: Final[int]
    height: Final[int]
    width: Final[int]
    overlap_height: Final[int]
    overlap_width: Final[int]

class StageMemory:
    weight_bytes: Final[int]
    packed_bytes: Final[int]
    activation_bytes: Final[int]
    arena_bytes: Final[int]

class GenerationPlan:
    height: Final[int]
    width: Final[int]
    num_frames: Final[int]
    latent_frames: Final[int]
    latent_height: Final[int]
    latent_width: Final[int]
    num_inference_steps: Final[int]
    guidance: Final[str]
    decode_chunk: Final[int]
    tiles: Final[PlannedTiles]
    image_conditioning: Final[str]
    strength: Final[float]
    step_cache: Final[float]
    stages: Final[list[str]]
    stage_memory: Final[list[StageMemory]]
    tensors: Final[list[PlannedTensor]]
    arena_bytes: Final[int]
    unshared_bytes: Final[int]
    residency: Final[str]
    weight_bytes: Final[int]
    modules: Final[list[PlannedModule]]
    packed_bytes: Final[int]
    activation_bytes: Final[int]
    activations_known: Final[bool]

class Timings:
    load: Final[float]
    encode: Final[float]
    encode_image: Final[float]
    denoise: Final[float]
    decode: Final[float]
    last_step_to_first_frame: Final[float]
    first_frame: Final[float]
    total: Final[float]
    session: Final[float]

class VideoMetadata:
    bundle: Final[str]
    vidrt_version: Final[str]
    backend: Final[str]
    device: Final[str]
    variants: Final[dict[str, str]]
    prompt: Final[str]
    negative_prompt: Final[str]
    image_sha256: Final[str]
    video_sha256: Final[str]
    strength: Final[float]
    seed: Final[int]
    num_inference_steps: Final[int]
    guidance_scale: Final[float]
    scheduler: Final[str]
    step_cache: Final[float]
    skipped_steps: Final[list[int]]
    guidance: Final[str]
    residency: Final[str]
    decode_chunk: Final[int]
    tiles: Final[PlannedTiles]
    arena_bytes: Final[int]
    warnings: Final[list[str]]

class Video:
    frames: Final[npt.NDArray[np.uint8 | np.float32] | None]
    num_frames: Final[int]
    height: Final[int]
    width: Final[int]
    fps: Final[float]
    metadata: Final[VideoMetadata]
    timings: Final[Timings]

class CancelToken:
    """Asks a running generation to stop, from any thread or signal handler.

    It is looked at between denoising steps and between decoded chunks; the generation then raises Cancelled.
    """

    def __init__(self) -> None: ...
    def cancel(self) -> None: ...
    def reset(self) -> None: ...
    cancelled: Final[bool]

class Callbacks:
    def __init__(
        self,
        *,
        on_stage: Callable[[str, int, int], object] | None = None,
        on_step: Callable[[int, int, float], object] | None = None,
        on_frames: Callable[[int, npt.NDArray[np.uint8 | np.float32]], object] | None = None,
        on_warning: Callable[[str], object] | None = None,
    ) -> None: ...

class LayerTime:
    name: Final[str]
    type: Final[str]
    median_ms: Final[float]
    share: Final[float]

class ModuleProfile:
    module: Final[str]
    variant: Final[str]
    runs: Final[int]
    missed_runs: Final[int]
    run_ms: Final[float]
    layers: Final[list[LayerTime]]

def check_options(
    bundle: Bundle,
    options: GenerateOptions,
    latents: npt.NDArray[np.float32] | None,
    image: npt.NDArray[np.uint8] | None,
    video: npt.NDArray[np.uint8] | None,
    prompt_embeds: PromptEmbeds | None,
    negative_prompt_embeds: PromptEmbeds | None,
) -> None:
    """Check of a generation what needs no backend. Raises InvalidArgument or BundleError."""

class Pipeline:
    def __init__(self, bundle: str | os.PathLike[str], options: PipelineOptions) -> None: ...
    bundle: Final[Bundle]
    backend_description: Final[str]
    def encode_prompt(
        self, prompt: str, truncate: bool, cancel: CancelToken | None, callbacks: Callbacks
    ) -> PromptEmbeds: ...
    def plan(
        self,
        options: GenerateOptions,
        latents: npt.NDArray[np.float32] | None,
        image: npt.NDArray[np.uint8] | None,
        video: npt.NDArray[np.uint8] | None,
        prompt_embeds: PromptEmbeds | None,
        negative_prompt_embeds: PromptEmbeds | None,
    ) -> GenerationPlan: ...
    def activations_file(self, module: str) -> str: ...
    def take_layer_profile(self) -> list[ModuleProfile]: ...
    def plan_decode(self, options: DecodeOptions, latents: npt.NDArray[np.float32]) -> GenerationPlan: ...
    def decode_latents(
        self,
        options: DecodeOptions,
        latents: npt.NDArray[np.float32],
        cancel: CancelToken | None,
        callbacks: Callbacks,
    ) -> Video: ...
    def generate(
        self,
        options: GenerateOptions,
        latents: npt.NDArray[np.float32] | None,
        image: npt.NDArray[np.uint8] | None,
        video: npt.NDArray[np.uint8] | None,
        prompt_embeds: PromptEmbeds | None,
        negative_prompt_embeds: PromptEmbeds | None,
        cancel: CancelToken | None,
        callbacks: Callbacks,
    ) -> Video: ...

class StepCoefficients:
    timestep: Final[float]
    to_m_sample: Final[float]
    to_m_output: Final[float]
    correct: Final[bool]
    c_prev: Final[float]
    c_m: Final[float]
    c_history: Final[list[float]]
    p_sample: Final[float]
    p_m: Final[float]
    p_history: Final[list[float]]

class SchedulerTable:
    name: Final[str]
    init_noise_sigma: Final[float]
    start: Final[tuple[float, float]]
    num_history: Final[int]
    needs_prev_sample: Final[bool]
    adds_noise: Final[bool]
    sigmas: Final[list[float]]
    steps: Final[list[StepCoefficients]]
    timesteps: Final[npt.NDArray[np.float64]]

def scheduler_table(
    config_json: str, override_name: str, num_inference_steps: int, first_step: int = 0
) -> SchedulerTable: ...
def scheduler_run_step(
    table: SchedulerTable,
    step: int,
    sample: npt.NDArray[np.float32],
    output: npt.NDArray[np.float32],
    *,
    output_negative: npt.NDArray[np.float32] | None = None,
    guidance_scale: float = 1.0,
    prev_sample: npt.NDArray[np.float32] | None = None,
    history: list[npt.NDArray[np.float32]] = [],
) -> list[npt.NDArray[np.float32]]:
    """Apply one step to `sample` in place; returns the history in the order of the next step."""

def standard_normal(seed: int, count: int, stream: int = 0) -> npt.NDArray[np.float32]:
    """Noise: `count` values that depend on the seed, the stream and their index only (docs/random.md)."""

def add_onnxruntime_search_path(folder: str) -> None: ...
def onnxruntime_facts() -> dict[str, str]: ...
def onnxruntime_providers() -> list[str]: ...
def add_tensorrt_search_path(backend: str, folder: str) -> None: ...
def find_engine(
    folder: str | os.PathLike[str],
    bundle: Bundle,
    module: str,
    backend: str,
    version: str,
    compute_capability: str,
    sizes: dict[str, int],
) -> Path: ...
def engine_fault(
    folder: str | os.PathLike[str],
    bundle: Bundle,
    module: str,
    variant: str,
    backend: str,
    version: str,
    compute_capability: str,
) -> str:
    """What stands against every engine of a variant, sizes and plans aside; "" where one fits."""

def same_version(a: str, b: str) -> bool:
    """Whether two versions of TensorRT, which may be of different length, are one."""

def runs_on(targets: Sequence[str], compute_capability: str) -> bool:
    """Whether an engine for these, as "8.9" or "12.0+", runs on a device of this compute capability."""

def changed_source(sidecar: str | os.PathLike[str], bundle: Bundle) -> str: ...
def cpu_features() -> list[str]: ...
def instruction_sets() -> list[str]:
    """Those that vidrt's kernels have for this processor, the best first."""

def instruction_set() -> str:
    """The one in use; ValueError for a VIDRT_ISA that this processor does not have."""

def compiler() -> str: ...
