"""What TensorRT engines of a bundle hold and need: `python benchmarks/engines.py`. Writes ENGINES.md.

One engine a module and size, each for everything from the bundle's least size to that one, built by TensorRT for RTX
without a GPU. Bytes are what TensorRT says of an engine, activations those at the largest shapes.
"""

from __future__ import annotations

import argparse
import platform
import tempfile
from pathlib import Path

from vidrt.engine.builder import BuildOptions, BuiltEngine, EngineCache, Range, build_engines
from vidrt.engine.bundle import Bundle

HERE = Path(__file__).resolve().parent
SIZES = ((64, 17), (96, 65), (128, 257))
"""Height and width in pixels, and frames."""
BATCH = 2
"""Prompts a call of every module, as the denoiser's with guidance."""


def engines(bundle: Bundle, side: int, num_frames: int, cache: EngineCache) -> dict[str, BuiltEngine]:
    """Engines for all sizes up to one, by module."""
    limits = bundle.manifest
    options = BuildOptions(
        "tensorrt-rtx",
        height=Range(limits.height.min, side, side),
        width=Range(limits.width.min, side, side),
        num_frames=Range(limits.num_frames.min, num_frames, num_frames),
        batch=Range(1, BATCH, BATCH),
    )
    return {built.module: built for built in build_engines(bundle, options, cache=cache)}


def mib(count: int | None) -> str:
    """Bytes as MiB with one digit."""
    return "–" if count is None else f"{count / 2**20:.1f}"


def table(bundle: Bundle, built: list[dict[str, BuiltEngine]]) -> str:
    """One row a module: the engine of the largest size, and the activations of every size."""
    titles = ["module", "nodes of the graph", "layers", "engine MiB", "weights MiB", "build s"]
    titles += [f"activations MiB, {side}x{side}, {frames} frames" for side, frames in SIZES]
    lines = ["| " + " | ".join(titles) + " |", "|---" * len(titles) + "|"]
    for name, module in bundle.modules.items():
        outcomes = [of_size[name].engine.sidecar.outcome for of_size in built]
        largest = outcomes[-1]
        variant = next(one for one in module.variants if one.id == built[-1][name].engine.sidecar.source.variant)
        cells = [name, str(sum(bundle.operators(variant).values())), str(len(largest.layers)), mib(largest.bytes)]
        cells += [mib(largest.weight_bytes), f"{largest.build_seconds:.1f}"]
        cells += [mib(outcome.activation_bytes) for outcome in outcomes]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Build, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, default=HERE.parent / "models" / "pocket", help="bundle to build")
    parser.add_argument("--remark", default="", help="what a reader must know of the machine, as a sentence")
    arguments = parser.parse_args()
    bundle = Bundle(arguments.bundle)
    with tempfile.TemporaryDirectory() as folder:
        built = [engines(bundle, side, frames, EngineCache(Path(folder))) for side, frames in SIZES]
    target = next(iter(built[-1].values())).engine.sidecar.target
    text = (
        "# TensorRT engines of the pocket graphs\n\nMade by `python benchmarks/engines.py`; do not edit. "
        f"{target.backend} {target.version} on {platform.machine()} without a GPU, for compute capability "
        f"{', '.join(target.compute_capabilities)}; stock graphs, batch 1 to {BATCH}, at most 8 latent frames a call "
        "of the decoder. Each engine takes every size up to the one named; engine, layers and seconds are those of the "
        "largest. None of these engines has run.\n\n"
    )
    if arguments.remark:
        text += f"**{arguments.remark}**\n\n"
    (HERE / "ENGINES.md").write_text(text + table(bundle, built))
    print(f"wrote {HERE / 'ENGINES.md'}")


if __name__ == "__main__":
    main()
