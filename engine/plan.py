"""What a generation will do and need, known before any weight is read."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from vidrt import _core


@dataclass(frozen=True)
class PlannedTensor:
    """One tensor of the arena: where it lies, and from which to which stage (both inclusive) it lives."""

    name: str
    bytes: int
    offset: int
    first_stage: int
    last_stage: int


@dataclass(frozen=True)
class PlannedModule:
    """One module as it will be loaded.

    Attributes:
        name: The module.
        weight_bytes: All its weights, in the compute dtype.
        streamed_bytes: Of these, kept on the host and streamed to the device in every run; on the processor, what is
            saved by multiplying by matrices as they lie in the bundle's file.
        packed_bytes: What the backend holds besides them, where it was measured: weights in its kernels' order.
        activation_bytes: The backend's own memory in a run, where it was measured.
        activation_terms: Of the sizes of its runs, what activations are linear in (docs/memory.md).
    """

    name: str
    weight_bytes: int
    streamed_bytes: int
    packed_bytes: int = 0
    activation_bytes: int = 0
    activation_terms: tuple[float, ...] = ()

    @classmethod
    def from_core(cls, module: _core.PlannedModule) -> PlannedModule:
        """Copy the core's."""
        return cls(
            name=module.name,
            weight_bytes=module.weight_bytes,
            streamed_bytes=module.streamed_bytes,
            packed_bytes=module.packed_bytes,
            activation_bytes=module.activation_bytes,
            activation_terms=tuple(module.activation_terms),
        )

    @property
    def resident_bytes(self) -> int:
        """The weights that stay on the device while it is loaded."""
        return self.weight_bytes - self.streamed_bytes


@dataclass(frozen=True)
class PlannedTiles:
    """The tiles in which the decoder makes a frame. One tile is the whole frame.

    Attributes:
        rows: Tiles, one above the other.
        columns: Tiles, side by side.
        height: Pixels of every tile.
        width: Pixels of every tile.
        overlap_height: Pixels that neighbours have in common at least; 0 where there is but one.
        overlap_width: Likewise.
    """

    rows: int = 1
    columns: int = 1
    height: int = 0
    width: int = 0
    overlap_height: int = 0
    overlap_width: int = 0

    @classmethod
    def from_core(cls, tiles: _core.PlannedTiles) -> PlannedTiles:
        """Copy the core's."""
        return cls(**{name: getattr(tiles, name) for name in cls.__dataclass_fields__})

    @property
    def count(self) -> int:
        """Tiles of a frame."""
        return self.rows * self.columns


@dataclass(frozen=True)
class StageMemory:
    """What one stage takes of the device's memory, in bytes.

    Attributes:
        weight_bytes: Of the modules that are loaded, in the compute dtype.
        packed_bytes: What backends hold of them besides; 0 unless activations are known.
        activation_bytes: Of the module that runs; 0 unless activations are known.
        arena_bytes: The arena; on the processor, which takes memory as it is written, what was written up to this
            stage.
    """

    weight_bytes: int
    packed_bytes: int
    activation_bytes: int
    arena_bytes: int

    @classmethod
    def from_core(cls, stage: _core.StageMemory) -> StageMemory:
        """Copy the core's figures."""
        return cls(stage.weight_bytes, stage.packed_bytes, stage.activation_bytes, stage.arena_bytes)

    @property
    def total_bytes(self) -> int:
        """All together."""
        return self.weight_bytes + self.packed_bytes + self.activation_bytes + self.arena_bytes


@dataclass(frozen=True)
class GenerationPlan:
    """A generation before it runs.

    Attributes:
        height: Pixels.
        width: Pixels.
        num_frames: Frames of the clip.
        latent_frames: Latent frames, and so the denoiser's T.
        latent_height: Latent rows.
        latent_width: Latent columns.
        num_inference_steps: Denoising steps that run.
        guidance: "batched" (one denoiser run over both prompts), "sequential" (two runs) or "off".
        image_conditioning: "first_latent_frame" where an image is given, else "none".
        strength: Of a generation that starts from a clip: the part of the steps that runs; else 0.
        step_cache: Threshold up to which a prediction is used again; 0 where every step runs the denoiser.
        decode_chunk: Latent frames a call of the decoder takes.
        tiles: The tiles in which it makes a frame.
        stages: Names of the stages that PlannedTensor counts.
        stage_memory: What each of them takes.
        tensors: The arena's tensors.
        arena_bytes: Size of the arena, tensors of different stages sharing their place.
        unshared_bytes: The same tensors without sharing.
        residency: "all": every module stays loaded; "stage_by_stage": those of one stage at a time;
            "stream": the same, and of some modules only a part of the weights is on the device.
        weight_bytes: The most weights that are on the device in a stage, in the compute dtype.
        modules: What is loaded, in the order in which it runs.
        packed_bytes: The most that backends hold besides weights in a stage; 0 unless known.
        activation_bytes: The most that a module's activations take outside the arena; 0 unless known.
        activations_known: Whether they were measured on this machine (`vidrt plan --measure`), or lie in the arena.
    """

    height: int
    width: int
    num_frames: int
    latent_frames: int
    latent_height: int
    latent_width: int
    num_inference_steps: int
    guidance: str
    image_conditioning: str
    strength: float
    step_cache: float
    decode_chunk: int
    tiles: PlannedTiles
    stages: tuple[str, ...]
    stage_memory: tuple[StageMemory, ...]
    tensors: tuple[PlannedTensor, ...]
    arena_bytes: int
    unshared_bytes: int
    residency: str
    weight_bytes: int
    modules: tuple[PlannedModule, ...]
    packed_bytes: int = 0
    activation_bytes: int = 0
    activations_known: bool = False

    @classmethod
    def from_core(cls, plan: _core.GenerationPlan) -> GenerationPlan:
        """Copy the core's plan."""
        return cls(
            height=plan.height,
            width=plan.width,
            num_frames=plan.num_frames,
            latent_frames=plan.latent_frames,
            latent_height=plan.latent_height,
            latent_width=plan.latent_width,
            num_inference_steps=plan.num_inference_steps,
            guidance=plan.guidance,
            image_conditioning=plan.image_conditioning,
            strength=plan.strength,
            step_cache=plan.step_cache,
            decode_chunk=plan.decode_chunk,
            tiles=PlannedTiles.from_core(plan.tiles),
            stages=tuple(plan.stages),
            stage_memory=tuple(StageMemory.from_core(stage) for stage in plan.stage_memory),
            tensors=tuple(
                PlannedTensor(tensor.name, tensor.bytes, tensor.offset, tensor.first_stage, tensor.last_stage)
                for tensor in plan.tensors
            ),
            arena_bytes=plan.arena_bytes,
            unshared_bytes=plan.unshared_bytes,
            residency=plan.residency,
            weight_bytes=plan.weight_bytes,
            modules=tuple(PlannedModule.from_core(module) for module in plan.modules),
            packed_bytes=plan.packed_bytes,
            activation_bytes=plan.activation_bytes,
            activations_known=plan.activations_known,
        )

    @property
    def total_bytes(self) -> int:
        """The most of a stage, all together: what a memory budget is compared with."""
        return max(stage.total_bytes for stage in self.stage_memory)

    @property
    def frame_bytes(self) -> int:
        """The video's frames, (F,H,W,3) uint8: not in total_bytes, as a stream does not keep them."""
        return self.num_frames * self.height * self.width * 3

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**asdict(self), "total_bytes": self.total_bytes, "frame_bytes": self.frame_bytes}
