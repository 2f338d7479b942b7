"""Command line options that several commands take, with one help text each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vidrt.engine.bundle import BUNDLE_VARIABLE, default_bundle
from vidrt.engine.cli.build_progress import OnBuild
from vidrt.engine.options import GenerateOptions
from vidrt.engine.pipeline import TextToVideoPipeline
from vidrt.engine.prompt_embeds import PromptEmbeds

_MODEL = "Model"
_VIDEO = "Video"

BundleFolder = Annotated[
    Path | None, typer.Argument(help=f"Bundle folder. (default: ${BUNDLE_VARIABLE}, or the pocket bundle)")
]
BundleOption = Annotated[
    Path | None,
    typer.Option(
        "--bundle",
        "-b",
        help=f"Bundle folder. (default: ${BUNDLE_VARIABLE}, or the pocket bundle)",
        rich_help_panel=_MODEL,
    ),
]
Backend = Annotated[
    str,
    typer.Option(help="auto, onnxruntime, onnxruntime-cuda, tensorrt or tensorrt-rtx.", rich_help_panel=_MODEL),
]
Device = Annotated[
    str | None, typer.Option(help="cpu or cuda:N. (default: what the backend runs on)", rich_help_panel=_MODEL)
]
Threads = Annotated[
    int | None, typer.Option(help="Compute threads. (default: one per physical core)", rich_help_panel=_MODEL)
]
MemoryBudget = Annotated[
    str | None,
    typer.Option(help="Limit for the memory that a plan takes, as 6GiB. (default: none)", rich_help_panel=_MODEL),
]
EmbedsCache = Annotated[
    str,
    typer.Option(
        "--embeds-cache",
        help="Keep embeddings of prompts in the user's cache folder, up to this size, so that a prompt used before "
        "needs no text encoder; 0 keeps none.",
        rich_help_panel=_MODEL,
    ),
]
VariantOption = Annotated[
    str | None,
    typer.Option("--variant", help="Insist on this variant of every module that has it.", rich_help_panel=_MODEL),
]
BuildEngines = Annotated[
    bool,
    typer.Option(
        "--build-engines",
        help="TensorRT: build engines that are missing or do not match, for all sizes of the bundle. It takes minutes.",
        rich_help_panel=_MODEL,
    ),
]

NegativePrompt = Annotated[str | None, typer.Option(help="What the video shall not show.", rich_help_panel=_VIDEO)]
Height = Annotated[int | None, typer.Option(help="Pixels.", rich_help_panel=_VIDEO)]
Width = Annotated[int | None, typer.Option(help="Pixels.", rich_help_panel=_VIDEO)]
NumFrames = Annotated[int | None, typer.Option(help="Length of the clip.", rich_help_panel=_VIDEO)]
Steps = Annotated[
    int | None, typer.Option("--num-inference-steps", "--steps", help="Denoising steps.", rich_help_panel=_VIDEO)
]
GuidanceScale = Annotated[float | None, typer.Option(help="Weight of the prompt; 1 is off.", rich_help_panel=_VIDEO)]
SchedulerOption = Annotated[
    str | None,
    typer.Option("--scheduler", help="euler, unipc, dpmpp_2m, ... (default: the bundle's)", rich_help_panel=_VIDEO),
]
StepCache = Annotated[
    float | None,
    typer.Option(
        help="Use a prediction again while it would change by less than this part of it, as 0.05. (default: never)",
        rich_help_panel=_VIDEO,
    ),
]
DecodeChunk = Annotated[
    int | None,
    typer.Option(help="Latent frames decoded at a time. (default: chosen by the plan)", rich_help_panel=_VIDEO),
]
VaeTilingOption = Annotated[
    str,
    typer.Option(
        "--vae-tiling",
        help="Decode frames in tiles that are blended: on, off, or auto: where whole frames do not fit the memory.",
        rich_help_panel=_VIDEO,
    ),
]
TileHeight = Annotated[
    int | None,
    typer.Option("--tile-sample-min-height", help="Pixels of a tile. (default: 256)", rich_help_panel=_VIDEO),
]
TileWidth = Annotated[
    int | None,
    typer.Option("--tile-sample-min-width", help="Pixels of a tile. (default: 256)", rich_help_panel=_VIDEO),
]
TileStrideHeight = Annotated[
    int | None,
    typer.Option(
        "--tile-sample-stride-height",
        help="Pixels from a tile to the next, at most. (default: three quarters of the tile)",
        rich_help_panel=_VIDEO,
    ),
]
TileStrideWidth = Annotated[
    int | None,
    typer.Option(
        "--tile-sample-stride-width",
        help="Pixels from a tile to the next, at most. (default: three quarters of the tile)",
        rich_help_panel=_VIDEO,
    ),
]
ImageFile = Annotated[
    Path | None,
    typer.Option(
        "--image",
        help="An image that the video begins with, scaled to cover it and cut. Sizes not given follow from it.",
        rich_help_panel=_VIDEO,
    ),
]
VideoFile = Annotated[
    Path | None,
    typer.Option(
        "--video",
        help="A clip that the video starts from, scaled and cut. Size and length that are not given follow from it.",
        rich_help_panel=_VIDEO,
    ),
]
Strength = Annotated[
    float | None,
    typer.Option(
        help="With --video, how far the video goes from it: the part of the steps that is run. (default: 0.6)",
        rich_help_panel=_VIDEO,
    ),
]
OutputType = Annotated[
    str,
    typer.Option(
        "--output-type",
        help="uint8, or float32: frames that are not rounded, in [0,1], for --output NAME.npy.",
        rich_help_panel=_VIDEO,
    ),
]
Truncate = Annotated[bool, typer.Option("--truncate", help="Cut an overlong prompt.", rich_help_panel=_VIDEO)]
EmbedsFile = Annotated[
    Path | None,
    typer.Option("--prompt-embeds", help="Embeddings from `vidrt encode` instead of a prompt.", rich_help_panel=_VIDEO),
]
NegativeEmbedsFile = Annotated[
    Path | None,
    typer.Option("--negative-prompt-embeds", help="The same for the negative prompt.", rich_help_panel=_VIDEO),
]
NoCudaGraphs = Annotated[
    bool,
    typer.Option("--no-cuda-graphs", help="TensorRT: queue every run anew instead of replaying those that repeat."),
]
# The command is a process of its own, which without a cache would load the text encoder every time.
EMBEDS_CACHE = "256MiB"
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else to stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")]


def open_pipeline(
    bundle: Path | None,
    backend: str,
    device: str | None,
    threads: int | None,
    memory_budget: str | None,
    variant: str | None,
    *,
    cuda_graphs: bool = True,
    embeds_cache: str | None = None,
    on_build: OnBuild | None = None,
) -> TextToVideoPipeline:
    """Open the bundle that was named, or the default one; with on_build, engines that are missing are built."""
    folder = default_bundle() if bundle is None else bundle
    return TextToVideoPipeline(
        folder,
        backend,
        device,
        threads,
        memory_budget,
        variant,
        cuda_graphs=cuda_graphs,
        embeds_cache=embeds_cache,
        build_engines=on_build is not None,
        on_build=on_build,
    )


def load_embeds(path: Path | None) -> PromptEmbeds | None:
    """Read an embeddings file where one is named."""
    return None if path is None else PromptEmbeds.load(path)


def frame_rate(pipe: TextToVideoPipeline, options: GenerateOptions) -> float:
    """The frame rate a video would be written with."""
    return pipe.bundle.manifest.defaults.fps if options.fps is None else options.fps
