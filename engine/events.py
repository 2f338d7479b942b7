"""What a running generation tells its caller, and how the caller stops it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, cast

from vidrt import _core
from vidrt._core import CancelToken
from vidrt.engine.writers import Frames

__all__ = ["Callbacks", "CancelToken", "FramesEvent", "Stage", "StageEvent", "StepEvent"]

Stage = Literal["load", "encode", "encode_image", "denoise", "decode"]


@dataclass(frozen=True)
class StageEvent:
    """Progress of one stage.

    Attributes:
        stage: "load", "encode" (prompts), "encode_image", "denoise" or "decode".
        done: Units finished: modules, prompts, images, steps, frames. 0 announces the stage.
        total: Units of the whole stage.
    """

    stage: Stage
    done: int
    total: int


@dataclass(frozen=True)
class StepEvent:
    """A finished denoising step.

    Attributes:
        step: 0-based.
        num_inference_steps: Steps of the whole trajectory.
        timestep: The one just used, in the units of training.
    """

    step: int
    num_inference_steps: int
    timestep: float


@dataclass(frozen=True, eq=False)
class FramesEvent:
    """Finished frames, in order.

    Attributes:
        first_frame: Index of the first of these frames in the clip.
        frames: (n, H, W, 3) RGB of the output type, the receiver's to keep.
    """

    first_frame: int
    frames: Frames


@dataclass(frozen=True)
class Callbacks:
    """Called on the thread that runs the generation, between steps and decoded chunks.

    An exception from one ends the generation and leaves it as it is; the pipeline stays usable.

    Attributes:
        on_stage: Progress for people.
        on_step: After each denoising step.
        on_frames: Frames as soon as they are decoded.
        on_warning: Unset, warnings are issued through `warnings` as VidrtWarning.
        cancel: Ends the generation with Cancelled.
    """

    on_stage: Callable[[StageEvent], object] | None = None
    on_step: Callable[[StepEvent], object] | None = None
    on_frames: Callable[[FramesEvent], object] | None = None
    on_warning: Callable[[str], object] | None = None
    cancel: CancelToken | None = None

    def to_core(self) -> _core.Callbacks:
        """Wrap the callables for the core, which passes plain values."""
        on_stage, on_step, on_frames = self.on_stage, self.on_step, self.on_frames
        return _core.Callbacks(
            on_stage=on_stage and (lambda stage, done, total: on_stage(StageEvent(cast(Stage, stage), done, total))),
            on_step=on_step and (lambda step, total, timestep: on_step(StepEvent(step, total, timestep))),
            on_frames=on_frames and (lambda first, frames: on_frames(FramesEvent(first, frames))),
            on_warning=self.on_warning,
        )
