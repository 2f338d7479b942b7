"""One measurement, in a process of its own: `python -m vidrt.engine.activations.probe REQUEST`, JSON in and out.

Every module is measured alone, so that nothing that another left in ONNX Runtime's arena hides what it takes.
"""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from vidrt.engine.activations.beginning import beginning_of
from vidrt.engine.errors import Cancelled
from vidrt.engine.events import Callbacks, CancelToken, FramesEvent, StageEvent
from vidrt.engine.options import DecodeOptions, GenerateOptions
from vidrt.engine.pipeline import TextToVideoPipeline
from vidrt.engine.plan import GenerationPlan
from vidrt.engine.process_memory import peak_resident_bytes, reset_peak, resident_bytes
from vidrt.engine.prompt_embeds import PromptEmbeds

_PROMPT = "video"
_STEPS = 3  # ONNX Runtime lays out a run like one that it knows in one block: from the second on


class _Watch:
    """Memory at the events of one call, which ends where a stage would begin that is not measured."""

    def __init__(self) -> None:
        self.ends_at = "decode"
        self._cancel = CancelToken()
        self._loaded: list[int] = []
        self._begun: dict[str, int] = {}
        self._peaks: dict[str, int] = {}

    def callbacks(self) -> Callbacks:
        return Callbacks(self._on_stage, None, self._on_frames, lambda _message: None, self._cancel)

    def _on_stage(self, event: StageEvent) -> None:
        if event.stage == self.ends_at:
            self._cancel.cancel()
        elif event.stage == "load":
            self._loaded.append(resident_bytes())
        elif event.done == 0:
            self._begun[event.stage] = resident_bytes()
            reset_peak()
        else:
            self._peaks[event.stage] = peak_resident_bytes()

    def _on_frames(self, _event: FramesEvent) -> None:
        peak = peak_resident_bytes()
        self._peaks.setdefault("first", peak)
        self._peaks["next"] = peak

    def loads(self) -> list[int]:
        """Bytes by which each module that was loaded, in its turn, let the process grow."""
        return [after - before for before, after in pairwise(self._loaded)]

    def growth(self, stage: str, peak: str) -> int:
        """Bytes from the beginning of a stage to its peak."""
        return self._peaks[peak] - self._begun[stage]


def _arena_bytes(plan: GenerationPlan, stage: str) -> int:
    """Bytes of the arena that are written up to a stage: each page counts where it is first used."""
    return plan.stage_memory[plan.stages.index(stage)].arena_bytes


def _load(request: dict[str, Any], pipe: TextToVideoPipeline, plan: GenerationPlan, watch: _Watch) -> dict[str, Any]:
    """What each module holds besides the weights that it is the first to need: the steps of a decoder share theirs.

    Together, as a generation loads them: what one leaves free the next uses, and what a backend needs once counts once.
    """
    watch.ends_at = "encode"
    with suppress(Cancelled):
        pipe.generate(_options(request, pipe), watch.callbacks())
    found, of_decoders = {}, 0
    for module, grown in zip(plan.modules, watch.loads(), strict=True):
        new = module.weight_bytes
        if module.name.startswith("vae_decoder"):
            new, of_decoders = max(0, new - of_decoders), max(new, of_decoders)
        found[module.name] = {"packed_bytes": max(0, grown - new)}
    return found


def _encode(request: dict[str, Any], pipe: TextToVideoPipeline, plan: GenerationPlan, watch: _Watch) -> dict[str, Any]:
    # As many tokens as there may be: where the backend can, it runs over those of the prompt alone.
    prompt = " ".join([_PROMPT] * pipe.bundle.manifest.text_length)
    embeds = pipe.encode_prompt(prompt, truncate=True, callbacks=watch.callbacks())
    embeds.save(request["embeds"])
    return _result(plan, {"text_encoder": watch.growth("encode", "encode")})


def _encode_image(
    request: dict[str, Any], pipe: TextToVideoPipeline, plan: GenerationPlan, watch: _Watch
) -> dict[str, Any]:
    watch.ends_at = "denoise"
    with suppress(Cancelled):
        pipe.generate(_without_text_encoder(request, _options(request, pipe)), watch.callbacks())
    growth = watch.growth("encode_image", "encode_image") - _arena_bytes(plan, "encode_image")
    return _result(plan, {"vae_encoder": growth})


def _denoise(request: dict[str, Any], pipe: TextToVideoPipeline, plan: GenerationPlan, watch: _Watch) -> dict[str, Any]:
    with suppress(Cancelled):
        pipe.generate(_without_text_encoder(request, _options(request)), watch.callbacks())
    growth = watch.growth("denoise", "denoise") - _arena_bytes(plan, "denoise")
    return _result(plan, {"denoiser": growth})


def _decode(_request: dict[str, Any], pipe: TextToVideoPipeline, plan: GenerationPlan, watch: _Watch) -> dict[str, Any]:
    shape = (pipe.bundle.manifest.vae.latent_channels, plan.latent_frames, plan.latent_height, plan.latent_width)
    options = DecodeOptions(np.zeros(shape, np.float32), keep_frames=False)
    decode_plan = pipe.plan_decode(options)
    watch.ends_at = ""
    pipe.decode_latents(options, watch.callbacks())
    names = [module.name for module in decode_plan.modules]
    peaks = ["first", "next"] if len(names) > 1 else ["next"]
    growths = {
        name: watch.growth("decode", peak) - _arena_bytes(decode_plan, f"decode_{peak}")
        for name, peak in zip(names, peaks, strict=True)
    }
    return _result(decode_plan, growths)


def _options(request: dict[str, Any], starting: TextToVideoPipeline | None = None) -> GenerateOptions:
    """Of a generation from text alone, or from what the bundle of `starting` takes besides."""
    sizes = {name: request[name] for name in ("height", "width", "num_frames")}
    more = {} if starting is None else beginning_of(starting.bundle.manifest, **sizes)
    return GenerateOptions(prompt=_PROMPT, num_inference_steps=_STEPS, keep_frames=False, seed=0, **sizes, **more)


def _without_text_encoder(request: dict[str, Any], options: GenerateOptions) -> GenerateOptions:
    embeds = PromptEmbeds.load(request["embeds"])
    return replace(options, prompt="", prompt_embeds=embeds, negative_prompt_embeds=embeds)


def _result(plan: GenerationPlan, growths: dict[str, int]) -> dict[str, Any]:
    terms = {module.name: module.activation_terms for module in plan.modules}
    return {name: {"activation_bytes": max(0, growth), "terms": terms[name]} for name, growth in growths.items()}


def measure(request: dict[str, Any]) -> dict[str, Any]:
    """Measure the modules of one stage at one size: bytes and terms by module."""
    pipe = TextToVideoPipeline(
        request["bundle"], request["backend"], threads=request["threads"], variant=request["variant"]
    )
    stages = {
        "load": _load,
        "encode": _encode,
        "encode_image": _encode_image,
        "denoise": _denoise,
        "decode": _decode,
    }
    name = request["stage"]
    options = _options(request, pipe if name in ("load", "encode_image") else None)
    return stages[name](request, pipe, pipe.plan(options), _Watch())


if __name__ == "__main__":
    print(json.dumps(measure(json.loads(sys.argv[1]))))
