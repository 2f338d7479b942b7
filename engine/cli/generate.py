"""`vidrt generate`: a prompt to a video file."""

from __future__ import annotations

import hashlib
import json as json_module
import re
import secrets
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from vidrt import _core
from vidrt.engine.bundle import Bundle, default_bundle
from vidrt.engine.cli import arguments as arg
from vidrt.engine.cli.build_progress import missing_engines_built
from vidrt.engine.cli.rendering import render
from vidrt.engine.cli.text import described_tiles, print_json
from vidrt.engine.options import GenerateOptions
from vidrt.engine.pipeline import TextToVideoPipeline
from vidrt.engine.plan import GenerationPlan
from vidrt.engine.prepared_options import check_options, prepare_options
from vidrt.engine.text import human_bytes, human_ms
from vidrt.engine.vae_tiling import VaeTiling
from vidrt.engine.video import Video
from vidrt.engine.writers import ClipFormat, open_writer

_SEED_BITS = 53  # survives JSON readers that keep numbers as doubles
_NAME_LENGTH = 40


def generate(
    prompt: Annotated[str, typer.Argument(help="What the video shall show.")] = "",
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="NAME.mp4, .webm, .gif, .y4m, .npy, or a folder for PNG files. Replaced when the video is whole. "
            "(default: made of prompt and seed)",
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Same seed, same video. (default: drawn and printed)")] = None,
    fps: Annotated[float | None, typer.Option(help="Frames per second of the file. (default: the bundle's)")] = None,
    image: arg.ImageFile = None,
    video: arg.VideoFile = None,
    strength: arg.Strength = None,
    negative_prompt: arg.NegativePrompt = None,
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
    output_type: arg.OutputType = "uint8",
    truncate: arg.Truncate = False,
    prompt_embeds: arg.EmbedsFile = None,
    negative_prompt_embeds: arg.NegativeEmbedsFile = None,
    bundle: arg.BundleOption = None,
    backend: arg.Backend = "auto",
    device: arg.Device = None,
    threads: arg.Threads = None,
    memory_budget: arg.MemoryBudget = None,
    embeds_cache: arg.EmbedsCache = arg.EMBEDS_CACHE,
    variant: arg.VariantOption = None,
    no_cuda_graphs: arg.NoCudaGraphs = False,
    build_engines: arg.BuildEngines = False,
    json: arg.Json = False,
    quiet: arg.Quiet = False,
) -> None:
    """Generate a video from a prompt, with --image one that begins with an image, with --video one made of a clip.

    Ctrl-C stops after the step in progress and keeps the finished frames as NAME.partial.mp4.
    """
    tiling = VaeTiling(
        vae_tiling, tile_sample_min_height, tile_sample_min_width, tile_sample_stride_height, tile_sample_stride_width
    )
    options = GenerateOptions(
        prompt=prompt,
        negative_prompt=negative_prompt,
        height=height,
        width=width,
        num_frames=num_frames,
        num_inference_steps=num_inference_steps,
        guidance_scale=guidance_scale,
        seed=secrets.randbits(_SEED_BITS) if seed is None else seed,
        fps=fps,
        scheduler=scheduler,
        step_cache=step_cache,
        truncate=truncate,
        decode_chunk=decode_chunk,
        vae_tiling=tiling,
        output_type=output_type,
        keep_frames=False,
        image=image,
        video=video,
        strength=strength,
        prompt_embeds=arg.load_embeds(prompt_embeds),
        negative_prompt_embeds=arg.load_embeds(negative_prompt_embeds),
    )
    if build_engines:
        # A mistake is found before anything is built.
        opened = Bundle(default_bundle() if bundle is None else bundle)
        options = prepare_options(opened, options)
        check_options(opened, options)
    with missing_engines_built(build_engines, silent=json or quiet) as on_build:
        pipe = arg.open_pipeline(
            bundle,
            backend,
            device,
            threads,
            memory_budget,
            variant,
            cuda_graphs=not no_cuda_graphs,
            embeds_cache=embeds_cache,
            on_build=on_build,
        )
        # Everything that can be wrong is found before anything is loaded: options and prompt, then the output's place.
        options = pipe.prepare(options)
        pipe.check(options)
        plan = pipe.plan(options)
    target = _default_name(options) if output is None else output
    metadata = _known_metadata(pipe, options, plan)
    clip = ClipFormat(plan.height, plan.width, arg.frame_rate(pipe, options), metadata, output_type)
    with open_writer(target, clip) as writer:
        if not (json or quiet):
            size = f"{plan.num_frames} frames of {plan.width}x{plan.height}"
            print(f"seed {options.seed} · {size} · {pipe.backend}", file=sys.stderr)
            if image is not None:
                print(f"begins with {image}, scaled and cut to {plan.width}x{plan.height}", file=sys.stderr)
            if video is not None:
                print(f"starts from {video}, scaled and cut to {plan.width}x{plan.height}", file=sys.stderr)
        made = render(lambda callbacks: pipe.generate(options, callbacks), writer, plan, target, silent=json or quiet)
    if json:
        print_json(_summary(target, made, plan))
    else:
        _tell(target, made, plan)


def _default_name(options: GenerateOptions) -> Path:
    text = options.prompt or (options.prompt_embeds.prompt if options.prompt_embeds else "")
    words = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    suffix = "mp4" if options.output_type == "uint8" else "npy"
    return Path(f"{words[:_NAME_LENGTH].rstrip('-') or 'video'}-{options.seed}.{suffix}")


def _known_metadata(pipe: TextToVideoPipeline, options: GenerateOptions, plan: GenerationPlan) -> dict[str, Any]:
    """What goes into the file's header, which is written before the first frame."""
    manifest = pipe.bundle.manifest
    embeds, negative_embeds = options.prompt_embeds, options.negative_prompt_embeds
    negative = manifest.defaults.negative_prompt if options.negative_prompt is None else options.negative_prompt
    guidance = manifest.defaults.guidance_scale if options.guidance_scale is None else options.guidance_scale
    steps = options.num_inference_steps
    given: dict[str, Any] = {}
    if isinstance(options.image, np.ndarray):
        given["image_sha256"] = hashlib.sha256(options.image.tobytes()).hexdigest()
    if isinstance(options.video, np.ndarray):
        given["video_sha256"] = hashlib.sha256(options.video.tobytes()).hexdigest()
        given["strength"] = plan.strength
    return {
        "prompt": embeds.prompt if embeds else options.prompt,
        "negative_prompt": negative_embeds.prompt if negative_embeds else negative,
        **given,
        "seed": options.seed,
        "num_inference_steps": manifest.defaults.num_inference_steps if steps is None else steps,
        "guidance_scale": guidance,
        "scheduler": options.scheduler or json_module.loads(manifest.scheduler_json)["_class_name"],
        "bundle": manifest.name,
        "backend": pipe.backend,
        "vidrt_version": _core.__version__,
    }


def _summary(target: Path, video: Video, plan: GenerationPlan) -> dict[str, Any]:
    return {
        "output": str(target),
        "num_frames": plan.num_frames,
        "height": plan.height,
        "width": plan.width,
        "fps": video.fps,
        "seed": video.metadata.seed,
        "metadata": video.metadata.to_dict(),
        "timings_ms": asdict(video.timings),
        "plan": plan.to_dict(),
    }


def _tell(target: Path, video: Video, plan: GenerationPlan) -> None:
    times = video.timings
    size = f"{plan.num_frames} frames of {plan.width}x{plan.height} at {video.fps:g} fps"
    print(f"{target}: {size}, seed {video.metadata.seed}")
    names = ["load", "encode", *(["encode_image"] if times.encode_image else []), "denoise", "decode"]
    stages = ", ".join(f"{name.replace('_', ' ')} {human_ms(getattr(times, name))}" for name in names)
    print(f"{human_ms(times.total)}: {stages}; first frame after {human_ms(times.first_frame)}")
    if plan.step_cache > 0:
        skipped = len(video.metadata.skipped_steps)
        print(f"step cache: {plan.num_inference_steps - skipped} of {plan.num_inference_steps} steps computed")
    if plan.tiles.count > 1:
        print(described_tiles(plan.tiles))
    print(f"memory: weights {human_bytes(plan.weight_bytes)}, tensors {human_bytes(plan.arena_bytes)}")
