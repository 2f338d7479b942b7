"""`vidrt plan`: what a generation would need, before anything is loaded."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from vidrt.engine.activations import measure_activations
from vidrt.engine.cli import arguments as arg
from vidrt.engine.cli.text import described_tiles, print_json
from vidrt.engine.options import GenerateOptions
from vidrt.engine.plan import GenerationPlan
from vidrt.engine.plan_plot import draw_plan
from vidrt.engine.text import human_bytes
from vidrt.engine.vae_tiling import VaeTiling


def plan(
    folder: arg.BundleFolder = None,
    image: arg.ImageFile = None,
    video: arg.VideoFile = None,
    strength: arg.Strength = None,
    height: arg.Height = None,
    width: arg.Width = None,
    num_frames: arg.NumFrames = None,
    num_inference_steps: arg.Steps = None,
    guidance_scale: arg.GuidanceScale = None,
    scheduler: arg.SchedulerOption = None,
    step_cache: arg.StepCache = None,
    decode_chunk: arg.DecodeChunk = None,
    vae_tiling: arg.VaeTilingOption = "auto",
    tile_sample_min_height: arg.TileHeight = None,
    tile_sample_min_width: arg.TileWidth = None,
    tile_sample_stride_height: arg.TileStrideHeight = None,
    tile_sample_stride_width: arg.TileStrideWidth = None,
    backend: arg.Backend = "auto",
    device: arg.Device = None,
    memory_budget: arg.MemoryBudget = None,
    variant: arg.VariantOption = None,
    threads: arg.Threads = None,
    measure: Annotated[
        bool,
        typer.Option("--measure", help="First measure what activations take, in processes that run small videos."),
    ] = False,
    plot: Annotated[
        Path | None, typer.Option(help="Draw the plan into this PNG file (needs the extra `plots`).", dir_okay=False)
    ] = None,
    json: arg.Json = False,
) -> None:
    """Say what a generation would do and need, and whether it fits the memory budget.

    Loads nothing, unless activations are to be measured, which is kept and has to be done once for a bundle.
    """
    tiling = VaeTiling(
        vae_tiling, tile_sample_min_height, tile_sample_min_width, tile_sample_stride_height, tile_sample_stride_width
    )
    options = GenerateOptions(
        height=height,
        width=width,
        num_frames=num_frames,
        num_inference_steps=num_inference_steps,
        guidance_scale=guidance_scale,
        scheduler=scheduler,
        step_cache=step_cache,
        decode_chunk=decode_chunk,
        vae_tiling=tiling,
        image=image,
        video=video,
        strength=strength,
    )
    if measure:
        pipe = arg.open_pipeline(folder, backend, device, threads, None, variant)
        measure_activations(pipe, {"backend": backend, "threads": threads, "variant": variant}, _tell)
    result = arg.open_pipeline(folder, backend, device, threads, memory_budget, variant).plan(options)
    if plot is not None:
        draw_plan(result, plot)
    if json:
        print_json(result.to_dict())
    else:
        _print(result)


def _stage_table(plan: GenerationPlan) -> Table:
    measured = ["repacked weights", "activations"] if plan.activations_known else []
    table = Table("stage", "weights", *measured, "tensors", "together", box=None, pad_edge=False)
    for name, stage in zip(plan.stages, plan.stage_memory, strict=True):
        parts = [stage.weight_bytes, stage.packed_bytes, stage.activation_bytes] if measured else [stage.weight_bytes]
        sizes = [*parts, stage.arena_bytes, stage.total_bytes]
        table.add_row(name.replace("_", " "), *(human_bytes(size) for size in sizes))
    return table


def _tell(done: int, total: int) -> None:
    print(f"measured {done} of {total}", file=sys.stderr)


def _print(plan: GenerationPlan) -> None:
    latents = f"{plan.latent_frames}x{plan.latent_height}x{plan.latent_width}"
    print(f"{plan.num_frames} frames of {plan.width}x{plan.height}, latents {latents}")
    image = "" if plan.image_conditioning == "none" else ", the first latent frame an image's"
    clip = "" if plan.strength == 0 else f" on a clip with noise, at strength {plan.strength:g}"
    print(f"{plan.num_inference_steps} steps{clip}, guidance {plan.guidance}{image}")
    if plan.tiles.count > 1:
        print(described_tiles(plan.tiles))
    print(f"modules loaded: {plan.residency.replace('_', ' ')}; {plan.decode_chunk} latent frames a decode")
    print(
        f"memory {human_bytes(plan.total_bytes)}: the most of a stage; besides, frames that are kept "
        f"{human_bytes(plan.frame_bytes)}"
    )
    print(f"tensors {human_bytes(plan.arena_bytes)}, {human_bytes(plan.unshared_bytes)} without sharing")
    if not plan.activations_known:
        print("activations: not measured, and not in these figures; run vidrt plan --measure once")
    console = Console(highlight=False, markup=False)
    console.print(_stage_table(plan))
    if any(module.streamed_bytes for module in plan.modules):
        weights = Table("module", "weights on the device", "streamed in every run", box=None, pad_edge=False)
        for module in plan.modules:
            weights.add_row(module.name, f"{module.resident_bytes:,}", f"{module.streamed_bytes:,}")
        console.print(weights)
    table = Table("tensor", "bytes", "offset", "from", "to", box=None, pad_edge=False)
    for tensor in plan.tensors:
        stages = plan.stages[tensor.first_stage], plan.stages[tensor.last_stage]
        table.add_row(tensor.name, f"{tensor.bytes:,}", f"{tensor.offset:,}", *stages)
    console.print(table)
