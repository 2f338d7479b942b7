"""`vidrt decode`: latents to a video file."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import typer

from vidrt import _core
from vidrt.engine.cli import arguments as arg
from vidrt.engine.cli.build_progress import missing_engines_built
from vidrt.engine.cli.rendering import render
from vidrt.engine.cli.text import described_tiles, print_json
from vidrt.engine.errors import InvalidArgument, IoError
from vidrt.engine.options import DecodeOptions
from vidrt.engine.text import human_bytes, human_ms
from vidrt.engine.vae_tiling import VaeTiling
from vidrt.engine.writers import ClipFormat, open_writer


def decode(
    latents: Annotated[Path, typer.Argument(help="A .npy file: (C,T,h,w) or (1,C,T,h,w) float32.")],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="NAME.mp4, .webm, .gif, .y4m, .npy, or a folder for PNG files."),
    ],
    fps: Annotated[float | None, typer.Option(help="Frames per second of the file. (default: the bundle's)")] = None,
    decode_chunk: arg.DecodeChunk = None,
    vae_tiling: arg.VaeTilingOption = "auto",
    tile_sample_min_height: arg.TileHeight = None,
    tile_sample_min_width: arg.TileWidth = None,
    tile_sample_stride_height: arg.TileStrideHeight = None,
    tile_sample_stride_width: arg.TileStrideWidth = None,
    output_type: arg.OutputType = "uint8",
    bundle: arg.BundleOption = None,
    backend: arg.Backend = "auto",
    device: arg.Device = None,
    threads: arg.Threads = None,
    memory_budget: arg.MemoryBudget = None,
    variant: arg.VariantOption = None,
    no_cuda_graphs: arg.NoCudaGraphs = False,
    build_engines: arg.BuildEngines = False,
    json: arg.Json = False,
    quiet: arg.Quiet = False,
) -> None:
    """Decode latents to a video, with any bundle or one that has only a decoder.

    Ctrl-C stops after the frames in progress and keeps the finished ones as NAME.partial.mp4.
    """
    tiling = VaeTiling(
        vae_tiling, tile_sample_min_height, tile_sample_min_width, tile_sample_stride_height, tile_sample_stride_width
    )
    options = DecodeOptions(_read(latents), fps, decode_chunk, tiling, output_type, keep_frames=False)
    with missing_engines_built(build_engines, silent=json or quiet) as on_build:
        pipe = arg.open_pipeline(
            bundle,
            backend,
            device,
            threads,
            memory_budget,
            variant,
            cuda_graphs=not no_cuda_graphs,
            on_build=on_build,
        )
        plan = pipe.plan_decode(options)
    rate = pipe.bundle.manifest.defaults.fps if fps is None else fps
    known: dict[str, Any] = {
        "bundle": pipe.bundle.name,
        "backend": pipe.backend,
        "vidrt_version": _core.__version__,
        "latents": latents.name,
    }
    with open_writer(output, ClipFormat(plan.height, plan.width, rate, known, output_type)) as writer:
        if not (json or quiet):
            print(f"{plan.num_frames} frames of {plan.width}x{plan.height} · {pipe.backend}", file=sys.stderr)
        video = render(
            lambda callbacks: pipe.decode_latents(options, callbacks), writer, plan, output, silent=json or quiet
        )
    if json:
        print_json(
            {
                "output": str(output),
                "fps": video.fps,
                "metadata": video.metadata.to_dict(),
                "timings_ms": asdict(video.timings),
                "plan": plan.to_dict(),
            }
        )
        return
    times = video.timings
    print(f"{output}: {plan.num_frames} frames of {plan.width}x{plan.height} at {video.fps:g} fps")
    print(f"{human_ms(times.total)}: load {human_ms(times.load)}, decode {human_ms(times.decode)}")
    if plan.tiles.count > 1:
        print(described_tiles(plan.tiles))
    print(f"memory: weights {human_bytes(plan.weight_bytes)}, tensors {human_bytes(plan.arena_bytes)}")


def _read(path: Path) -> npt.NDArray[Any]:
    """The array of a .npy file, which may be anybody's."""
    try:
        # Mapped first: a header that promises more than the file holds is then an error, not an allocation.
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError as error:
        raise IoError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (ValueError, EOFError) as error:
        raise InvalidArgument(f"{path} is no .npy file of numbers: {error}") from error
    if not isinstance(mapped, np.ndarray):
        mapped.close()
        raise InvalidArgument(f"{path} holds several arrays; expected a .npy file with one.")
    return np.array(mapped)
