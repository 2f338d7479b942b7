"""The memory that a plan says beside what a generation takes, each in a process of its own.

    vidrt plan models/pocket --measure
    python benchmarks/memory.py models/pocket 64x96x25 80x80x41 96x96x49

Sizes are height x width x frames. Measured is the most private memory (no pages of mapped files) from the opened
pipeline to the finished video; what the interpreter and the libraries took before is left out.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys

from vidrt.engine.options import GenerateOptions
from vidrt.engine.pipeline import TextToVideoPipeline
from vidrt.engine.process_memory import anonymous_bytes, peak_anonymous_bytes, reset_peak

_MIB = 2**20
_STEPS = 3


def _generate(bundle: str, size: str, threads: int | None) -> None:
    height, width, frames = (int(part) for part in size.split("x"))
    pipe = TextToVideoPipeline(bundle, threads=threads)
    options = GenerateOptions(
        "a small red circle moving left",
        height=height,
        width=width,
        num_frames=frames,
        num_inference_steps=_STEPS,
        seed=0,
    )
    plan = pipe.plan(options)
    before = anonymous_bytes()
    reset_peak()
    video = pipe.generate(options)
    measured = peak_anonymous_bytes() - before
    print(json.dumps({**plan.to_dict(), "measured": measured, "shape": video.frames.shape}))


def main() -> None:
    """Print a row for each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle")
    parser.add_argument("sizes", nargs="+", help="HEIGHTxWIDTHxFRAMES")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        _generate(args.bundle, args.sizes[0], args.threads)
        return
    print("size           weights  repacked   tensors  activations  frames  predicted  measured  ratio   (MiB)")
    for size in args.sizes:
        command = [sys.executable, "-W", "ignore", __file__, "--one", args.bundle, size]
        if args.threads is not None:
            command += ["--threads", str(args.threads)]
        row = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
        if not row["activations_known"]:
            parser.error("activations are not measured; run `vidrt plan BUNDLE --measure` first.")
        parts = ["weight_bytes", "packed_bytes", "arena_bytes", "activation_bytes", "frame_bytes"]
        predicted = sum(row[part] for part in parts)
        weights, packed, tensors, activations, frames = (row[part] / _MIB for part in parts)
        print(
            f"{size:14} {weights:7.1f} {packed:9.1f} {tensors:9.1f} {activations:12.1f} {frames:7.1f} "
            f"{predicted / _MIB:10.1f} {row['measured'] / _MIB:9.1f} {predicted / row['measured']:6.2f}"
        )


if __name__ == "__main__":
    main()
