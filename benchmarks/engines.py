"""What TensorRT engines of a bundle hold and need: `python benchmarks/engines.py`. Writes ENGINES.md.

One engine a module, precision and size, each for everything from the bundle's least size to that one, built by TensorRT
for RTX without a GPU. Bytes are what TensorRT says of an engine, activations those at the largest shapes.

UNET3D_ENGINES.md is of ModelScope's published shapes: `python benchmarks/unet3d_folder.py FOLDER`, `vidrt export unet3d
FOLDER BUNDLE --dtype fp16`, `python benchmarks/engines.py --bundle BUNDLE --size 256x16 --output
benchmarks/UNET3D_ENGINES.md`.
"""

from __future__ import annotations

import argparse
import platform
import tempfile
from pathlib import Path

from vidrt._core import Variant
from vidrt.engine.builder import BuildOptions, BuiltEngine, EngineCache, Range, build_engines
from vidrt.engine.builder.options import Backend
from vidrt.engine.builder.source import precisions_of
from vidrt.engine.bundle import Bundle
from vidrt.engine.precision import EVERY_MODULE

HERE = Path(__file__).resolve().parent
BACKEND: Backend = "tensorrt-rtx"
SIZES = ("64x17", "96x65", "128x257")
"""Height, which is the width as well, in pixels, and frames."""
BATCH = 2
"""Prompts a call of every module, as the denoiser's with guidance."""

Size = tuple[int, int]
Built = dict[str, BuiltEngine]
"""Engines of one size by module."""


def engines(bundle: Bundle, precision: str, side: int, num_frames: int, cache: EngineCache) -> Built:
    """Engines for all sizes up to one, by module."""
    limits = bundle.manifest
    options = BuildOptions(
        BACKEND,
        height=Range(limits.height.min, side, side),
        width=Range(limits.width.min, side, side),
        num_frames=Range(limits.num_frames.min, num_frames, num_frames),
        batch=Range(1, BATCH, BATCH),
        precisions={EVERY_MODULE: precision},
    )
    return {built.module: built for built in build_engines(bundle, options, cache=cache)}


def mib(count: int | None) -> str:
    """Bytes as MiB with one digit."""
    return "–" if count is None else f"{count / 2**20:.1f}"


def table(rows: list[list[str]]) -> str:
    """A Markdown table; the first row has the titles."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|---" * len(rows[0]) + "|", *lines[1:]]) + "\n"


def engine_rows(bundle: Bundle, built: dict[str, list[Built]], sizes: list[Size]) -> list[list[str]]:
    """One row a module and precision: the engine of the largest size, and the activations of every size."""
    rows = [["module", "precision", "nodes of the graph", "layers", "engine MiB", "weights MiB", "build s"]]
    rows[0] += [f"activations MiB, {side}x{side}, {frames} frames" for side, frames in sizes]
    for name, module in bundle.modules.items():
        for precision, of_sizes in built.items():
            outcomes = [of_size[name].engine.sidecar.outcome for of_size in of_sizes]
            largest = outcomes[-1]
            source = of_sizes[-1][name].engine.sidecar.source
            variant = next(one for one in module.variants if one.id == source.variant)
            rows.append(
                [
                    *(name, precision, str(sum(bundle.operators(variant).values())), str(len(largest.layers))),
                    *(mib(largest.bytes), mib(largest.weight_bytes), f"{largest.build_seconds:.1f}"),
                    *(mib(outcome.activation_bytes) for outcome in outcomes),
                ]
            )
    return rows


def operator_rows(bundle: Bundle) -> list[list[str]]:
    """One row a module and precision that has a graph with vidrt's operators: its nodes beside the stock graph's."""
    rows = [["module", "precision", "nodes, stock", "nodes, with vidrt's operators", "of them plugins"]]
    for name, module in bundle.modules.items():
        for variant in module.variants:
            if not variant.custom_ops or "tensorrt" not in variant.backends:
                continue
            stock = next(one for one in module.variants if _is_stock(one, variant.precision))
            operators = bundle.operators(variant)
            plugins = sum(operators[operator] for operator in variant.custom_ops)
            counts = (sum(bundle.operators(stock).values()), sum(operators.values()), plugins)
            rows.append([name, variant.precision, *map(str, counts)])
    return rows


def _is_stock(variant: Variant, precision: str) -> bool:
    return variant.precision == precision and not variant.custom_ops


def size(text: str) -> Size:
    """128x257 as 128 and 257."""
    side, frames = text.split("x")
    return int(side), int(frames)


def main() -> None:
    """Build, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, default=HERE.parent / "models" / "pocket", help="bundle to build")
    parser.add_argument("--size", type=size, action="append", help="side and frames of the largest clip, as 256x16")
    parser.add_argument("--output", type=Path, default=HERE / "ENGINES.md", help="the report")
    parser.add_argument("--precision", action="append", help="leave the others out; may be given again")
    parser.add_argument(
        "--cache", type=Path, help="where engines are kept, and taken from; they are thrown away without"
    )
    parser.add_argument("--remark", default="", help="what a reader must know of the machine, as a sentence")
    arguments = parser.parse_args()
    bundle = Bundle(arguments.bundle)
    if not arguments.output.parent.is_dir():  # before minutes of building
        parser.error(f"{arguments.output} cannot be written: there is no folder {arguments.output.parent}.")
    sizes = arguments.size or [size(text) for text in SIZES]
    precisions = arguments.precision or precisions_of(next(iter(bundle.modules.values())), BACKEND)
    with tempfile.TemporaryDirectory() as folder:
        cache = EngineCache(arguments.cache or Path(folder))
        built = {
            precision: [engines(bundle, precision, side, frames, cache) for side, frames in sizes]
            for precision in sorted(precisions, reverse=True)
        }
    target = next(iter(built[precisions[0]][-1].values())).engine.sidecar.target
    text = (
        f"# TensorRT engines of the {bundle.manifest.family} graphs\n\n"
        "Made by `python benchmarks/engines.py`; do not edit. "
        f"{target.backend} {target.version} on {platform.machine()} without a GPU, for compute capability "
        f"{', '.join(target.compute_capabilities)}; batch 1 to {BATCH}, at most 8 latent frames a call of the decoder. "
        "Each engine takes every size up to the one named; engine, layers and seconds are those of the largest. None "
        "of these engines has run.\n\n"
    )
    if arguments.remark:
        text += f"**{arguments.remark}**\n\n"
    rows = table(engine_rows(bundle, built, sizes))
    titles, *with_operators = operator_rows(bundle)
    if with_operators:
        text += (
            f"## Without vidrt's operators\n\n{rows}\n"
            "## With vidrt's operators\n\n**No such engine was built.** TensorRT for RTX takes no plugins from ONNX "
            "graphs, and TensorRT's own builder needs a GPU. What the graphs are:\n\n"
            f"{table([titles, *with_operators])}"
        )
    else:
        text += rows
    arguments.output.write_text(text)
    print(f"wrote {arguments.output}")


if __name__ == "__main__":
    main()
