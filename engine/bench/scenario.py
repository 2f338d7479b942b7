"""What a benchmark measures: scenarios are data files, one question each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from vidrt.engine.bench.files import Strict, checked, read_json
from vidrt.engine.bench.measuring import PIPELINE_SETTINGS

Count = Annotated[int, Field(ge=1, le=2**31 - 1)]
Peer = Literal["pytorch", "diffusers", "openvino"]
_NOT_OPTIONS = ("label", "peer", "form", "pipelines", "latents")
_PEER_NEEDS = ("height", "width", "num_frames", "num_inference_steps", "guidance_scale", "threads")


class Case(Strict):
    """One row of a scenario. Unset values take the bundle's defaults."""

    label: Annotated[str, Field(min_length=1, max_length=200)]
    height: Count | None = None
    width: Count | None = None
    num_frames: Count | None = None
    num_inference_steps: Count | None = None
    guidance_scale: Annotated[float, Field(ge=0)] | None = None
    scheduler: str | None = None
    step_cache: Annotated[float, Field(ge=0)] | None = None
    decode_chunk: Count | None = None
    keep_frames: bool | None = None
    """False lets the frames go as they come."""
    backend: str | None = None
    device: str | None = None
    memory_budget: str | None = None
    threads: Count | None = None
    pipelines: Annotated[int, Field(ge=1, le=64)] | None = None
    """Open so many at once, each of which generates; the last is measured."""
    latents: tuple[Count, Count, Count] | None = None
    """Decode random latents of this size (T,h,w) instead of generating."""
    variant: str | None = None
    """Insist on this variant of every graph; unset, the first that can run is taken."""
    peer: Peer | None = None
    """Run by benchmarks/peers instead of vidrt, with the same weights and initial latents; needs every setting."""
    form: str | None = None
    """How the peer runs, where it has several ways."""

    @model_validator(mode="after")
    def _peer_is_told_everything(self) -> Case:
        missing = [name for name in _PEER_NEEDS if getattr(self, name) is None] if self.peer is not None else []
        if missing:
            raise ValueError(f"case '{self.label}' is a peer's and must say {', '.join(missing)}")
        if self.peer is not None and self.step_cache is not None:
            raise ValueError(f"case '{self.label}' is a peer's, and peers have no step_cache")
        return self

    @property
    def shows_prompts(self) -> bool:
        """Whether vidrt generates it from a prompt, so that its clips can be judged."""
        return self.peer is None and self.latents is None

    def options(self, *, pipeline: bool = True) -> dict[str, Any]:
        """What is set of a generation's or a decoding's options, and of those that a pipeline is opened with."""
        left_out = {*_NOT_OPTIONS, *(() if pipeline else PIPELINE_SETTINGS)}
        return {name: value for name, value in self if name not in left_out and value is not None}


class MadeBundle(Strict):
    """A bundle that benchmarks/make_bundle.py makes for the scenario, with random weights or parts replaced."""

    make: Literal["decode-only", "turbo-vaed", "unet3d", "wan"]
    preset: str | None = None
    """turbo-vaed: the published configuration."""
    layers: Count | None = None
    """wan: so many of the thirty layers; unet3d: so many of a block's two."""

    @model_validator(mode="after")
    def _has_what_it_takes(self) -> MadeBundle:
        wanted = {"turbo-vaed": {"preset"}, "unet3d": {"layers"}, "wan": {"layers"}}.get(self.make, set())
        given = {name for name in ("preset", "layers") if getattr(self, name) is not None}
        if given != wanted:
            raise ValueError(f"'{self.make}' takes {', '.join(wanted) or 'nothing else'}")
        return self


class PromptAccuracy(Strict):
    """How often clips show what prompts say: asked of every case that vidrt generates with a pocket bundle.

    After all timed runs, each such case generates the same prompts from the same seeds with its own settings, and a
    probe that was trained on drawn clips looks at them (vidrt.export.pocket.evaluation). Needs the extra `export`.
    """

    prompts: Annotated[int, Field(ge=1, le=100_000)] = 100
    seed: Annotated[int, Field(ge=0, le=10**6)] = 0
    """Of prompts and clips; `vidrt eval` with the same one asks the same."""
    probe_steps: Annotated[int, Field(ge=1, le=100_000)] = 1000
    """Training steps of the probe, which a bench trains once for all scenarios that ask the same."""


class Scenario(Strict):
    """A question and the cases that answer it. Every case runs in a process of its own, once a round."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
    question: str = ""
    bundle: MadeBundle | str | None = None
    """A folder, relative to the scenario's file; unset, the command's or the default one."""
    repetitions: Annotated[int, Field(ge=1, le=100_000)]
    warmup: Annotated[int, Field(ge=0, le=100_000)] = 1
    rounds: Annotated[int, Field(ge=1, le=10_000)] = 1
    """Cases take turns so often: where little differs, both must have met the same load of the machine."""
    prompt_accuracy: PromptAccuracy | None = None
    """Unset, it is not measured."""
    cases: Annotated[tuple[Case, ...], Field(min_length=1, max_length=1000)]

    @model_validator(mode="after")
    def _labels_differ(self) -> Scenario:
        if len({case.label for case in self.cases}) != len(self.cases):
            raise ValueError("two cases have the same label")
        return self

    @model_validator(mode="after")
    def _has_clips_to_judge(self) -> Scenario:
        if self.prompt_accuracy is None:
            return self
        if isinstance(self.bundle, MadeBundle):
            raise ValueError("prompt_accuracy is of a trained pocket bundle, and this scenario makes one of its own")
        if not self.judged:
            raise ValueError("prompt_accuracy needs a case without `peer` and `latents`, whose clips can be judged")
        return self

    @property
    def judged(self) -> tuple[Case, ...]:
        """The cases whose clips are judged: vidrt's own that are generated from a prompt."""
        return tuple(case for case in self.cases if self.prompt_accuracy is not None and case.shows_prompts)

    @property
    def compares(self) -> bool:
        """Whether peers or other variants are measured: then cases start from the same latents, and frames are kept."""
        return any(case.peer is not None or case.variant is not None for case in self.cases)


def read_scenario(path: Path) -> Scenario:
    """Read a scenario file. Raises IoError or InvalidArgument."""
    return checked(Scenario, read_json(path), path)
