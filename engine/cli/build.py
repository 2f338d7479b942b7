"""`vidrt build`: TensorRT engines of a bundle."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, cast

import typer
from rich.console import Console
from rich.table import Table

from vidrt.engine.builder import BuildOptions, BuiltEngine, EngineCache, Range, build_engines
from vidrt.engine.builder.options import Backend, HardwareCompatibility
from vidrt.engine.bundle import Bundle, default_bundle
from vidrt.engine.cli import arguments as arg
from vidrt.engine.cli.build_progress import shown_builds
from vidrt.engine.cli.text import print_json
from vidrt.engine.errors import InvalidArgument
from vidrt.engine.options import parse_bytes
from vidrt.engine.precision import parse_precisions
from vidrt.engine.text import human_bytes

_SIZES = "Sizes"
_TENSORRT = "TensorRT"

EngineBackend = Annotated[str, typer.Option(help="tensorrt or tensorrt-rtx.")]
CacheFolder = Annotated[
    Path | None, typer.Option("--cache", help="Folder of engines. (default: engines in vidrt's cache folder)")
]


def _size(help_text: str, default: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(
        metavar="RANGE", help=f"{help_text}: N or MIN:OPT:MAX. (default: {default})", rich_help_panel=_SIZES
    )
    return option


def build(
    backend: EngineBackend,
    folder: arg.BundleFolder = None,
    height: Annotated[str | None, _size("Pixels", "the bundle's limits")] = None,
    width: Annotated[str | None, _size("Pixels", "the bundle's limits")] = None,
    num_frames: Annotated[str | None, _size("Length of the clip", "the bundle's limits")] = None,
    batch: Annotated[str | None, _size("Prompts a call of every module", "what a generation runs")] = None,
    decode_chunk: Annotated[str | None, _size("Latent frames a call of the decoder takes", "1:1:8")] = None,
    module: Annotated[
        list[str] | None, typer.Option("--module", help="Build this module; may be given again. (default: all)")
    ] = None,
    variant: arg.VariantOption = None,
    precision: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[MODULE=]PRECISION",
            help="Insist on fp32, fp16 or bf16, or denoiser=fp16 for one module; may be given again. "
            "(default: what the bundle prefers)",
        ),
    ] = None,
    optimization_level: Annotated[
        int, typer.Option(help="0 (quickest build) to 5 (longest search).", rich_help_panel=_TENSORRT)
    ] = 3,
    workspace: Annotated[
        str | None,
        typer.Option(help="Limit of a layer's scratch memory, as 1GiB. (default: none)", rich_help_panel=_TENSORRT),
    ] = None,
    timing_cache: Annotated[
        bool, typer.Option(help="Keep measured kernels for the next build (tensorrt).", rich_help_panel=_TENSORRT)
    ] = True,
    weight_streaming: Annotated[
        bool,
        typer.Option("--weight-streaming", help="Let weights be streamed to the GPU.", rich_help_panel=_TENSORRT),
    ] = False,
    strip: Annotated[
        bool,
        typer.Option(
            "--strip",
            help="Leave the weights out of the plans, which vidrt then does not run.",
            rich_help_panel=_TENSORRT,
        ),
    ] = False,
    refit: Annotated[
        bool, typer.Option("--refit", help="Allow weights to be replaced.", rich_help_panel=_TENSORRT)
    ] = False,
    plugin: Annotated[
        list[Path] | None,
        typer.Option("--plugin", help="Load this plugin library; may be given again.", rich_help_panel=_TENSORRT),
    ] = None,
    serialize_plugins: Annotated[
        bool, typer.Option("--serialize-plugins", help="Put them into the plans.", rich_help_panel=_TENSORRT)
    ] = False,
    version_compatible: Annotated[
        bool,
        typer.Option(
            "--version-compatible", help="For later TensorRT versions too (tensorrt).", rich_help_panel=_TENSORRT
        ),
    ] = False,
    hardware_compatibility: Annotated[
        str,
        typer.Option(help="none, ampere_plus or same_compute_capability (tensorrt).", rich_help_panel=_TENSORRT),
    ] = "none",
    compute_capability: Annotated[
        list[str] | None,
        typer.Option(
            "--compute-capability",
            help="Build for this GPU alone, as 8.9; may be given again (tensorrt-rtx).",
            rich_help_panel=_TENSORRT,
        ),
    ] = None,
    cache: CacheFolder = None,
    force: Annotated[bool, typer.Option("--force", help="Build even what is there.")] = False,
    json: arg.Json = False,
    quiet: arg.Quiet = False,
) -> None:
    """Build TensorRT engines of a bundle's modules into the engine cache. What is there already is not built again.

    Ctrl-C stops; finished engines are kept, and nothing half-built.
    """
    sizes = {
        "height": height,
        "width": width,
        "num_frames": num_frames,
        "batch": batch,
        "decode_chunk": decode_chunk,
    }
    options = BuildOptions(
        backend=cast(Backend, backend),
        **{name: None if text is None else Range.parse(name, text) for name, text in sizes.items()},
        modules=tuple(module or ()),
        variant=variant,
        precisions=_one_each(parse_precisions(precision or ())),
        optimization_level=optimization_level,
        workspace_bytes=None if workspace is None else parse_bytes(workspace, "workspace"),
        timing_cache=timing_cache,
        weight_streaming=weight_streaming,
        strip=strip,
        refit=refit,
        plugins=tuple(path.absolute() for path in plugin or ()),
        serialize_plugins=serialize_plugins,
        version_compatible=version_compatible,
        hardware_compatibility=cast(HardwareCompatibility, hardware_compatibility),
        compute_capabilities=tuple(compute_capability or ()),
    )
    bundle = Bundle(default_bundle() if folder is None else folder)
    kept = EngineCache(cache)
    with shown_builds(silent=json or quiet) as on_build:
        built = build_engines(bundle, options, cache=kept, force=force, on_event=on_build)
    if json:
        print_json({"cache": str(kept.folder), "engines": [_entry(one) for one in built]})
    else:
        _print(built, kept)


def _one_each(wishes: dict[str, tuple[str, ...]]) -> dict[str, str]:
    for names in wishes.values():
        if len(names) > 1:
            raise InvalidArgument(f"an engine computes in one precision, got {','.join(names)}; build once for each.")
    return {module: name for module, (name,) in wishes.items()}


def _entry(built: BuiltEngine) -> dict[str, object]:
    engine = built.engine
    return {
        "module": built.module,
        "built": not built.reused,
        "plan": str(engine.plan),
        "log": str(engine.log),
        **engine.sidecar.to_dict(),
    }


def _print(engines: list[BuiltEngine], cache: EngineCache) -> None:
    table = Table(
        "module", "", "precision", "engine", "weights", "activations", "layers", "seconds", box=None, pad_edge=False
    )
    table.columns[0].no_wrap = True
    for built in engines:
        sidecar = built.engine.sidecar
        outcome = sidecar.outcome
        table.add_row(
            built.module,
            "was there" if built.reused else "built",
            sidecar.source.precision,
            human_bytes(outcome.bytes),
            _known(outcome.weight_bytes),
            _known(outcome.activation_bytes),
            str(len(outcome.layers)),
            f"{outcome.build_seconds:.1f}",
        )
        for warning in () if built.reused else outcome.warnings:
            print(f"warning: {built.module}: {warning}", file=sys.stderr)
    Console(highlight=False, markup=False, soft_wrap=True).print(table)
    count = sum(not built.reused for built in engines)
    target = engines[0].engine.sidecar.target
    what = f"{target.backend} {target.version}, for {', '.join(target.compute_capabilities)}"
    if count == 0:
        print(f"nothing to build: nothing has changed ({what}). --force builds all the same.")
    else:
        print(f"built {count} of {len(engines)} engines ({what})")
    print(f"engines: {cache.folder}")


def _known(count: int | None) -> str:
    return "not said" if count is None else human_bytes(count)
