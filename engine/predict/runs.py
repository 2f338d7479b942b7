"""Which modules a plan runs, how often, and at which sizes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from vidrt import _core
from vidrt.engine.builder.options import Range
from vidrt.engine.builder.profile import VideoSizes, module_profile
from vidrt.engine.plan import GenerationPlan


@dataclass(frozen=True)
class Runs:
    """Runs of one module at one size.

    Attributes:
        module: Its name.
        times: How often.
        batch: Prompts a run.
        chunk: Latent frames a run of the decoder wants.
    """

    module: str
    times: int
    batch: int = 1
    chunk: int = 1


def planned_runs(manifest: _core.Manifest, plan: GenerationPlan) -> list[Runs]:
    """All runs of a generation, in their order."""
    guided = plan.guidance != "off"
    batched = plan.guidance == "batched"
    steps = plan.num_inference_steps
    runs = [
        Runs("text_encoder", 2 if guided else 1),  # the core encodes one prompt at a time
        Runs("denoiser", 2 * steps if plan.guidance == "sequential" else steps, batch=2 if batched else 1),
    ]
    left = plan.latent_frames
    name = "vae_decoder"
    if manifest.vae.form == "causal":
        runs.append(Runs("vae_decoder_first", plan.tiles.count))
        name, left = "vae_decoder_next", left - 1
    chunks = Counter({plan.decode_chunk: left // plan.decode_chunk})
    chunks[left % plan.decode_chunk] += 1
    runs += [Runs(name, times * plan.tiles.count, chunk=chunk) for chunk, times in chunks.items() if chunk and times]
    return runs


def input_shapes(
    manifest: _core.Manifest, plan: GenerationPlan, runs: Runs, inputs: list[_core.TensorSpec]
) -> dict[str, tuple[int, ...]]:
    """The shapes of a module's inputs in these runs, by name."""
    whole = runs.module in ("text_encoder", "denoiser") or plan.tiles.count == 1
    height, width = (plan.height, plan.width) if whole else (plan.tiles.height, plan.tiles.width)
    sizes = VideoSizes(_one(height), _one(width), _one(plan.num_frames), _one(runs.batch), _one(runs.chunk))
    return {name: profile.opt for name, profile in module_profile(manifest, runs.module, inputs, sizes).items()}


def _one(size: int) -> Range:
    return Range(size, size, size)
