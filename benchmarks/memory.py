"""The memory that a plan says beside what a generation takes, each in a process of its own.

    vidrt plan models/pocket --measure
    python benchmarks/memory.py models/pocket 64x96x25 80x80x41 96x96x49

Sizes are height x width x frames. Predicted is the plan's total and the frames that are kept; measured is the most
resident memory, mapped weights with it, less what was resident when the pipeline was opened. What that was, the whole
peak, and the most private memory that was seen (looked at every 10 ms) stand apart.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import threading

from vidrt.engine.options import GenerateOptions
from vidrt.engine.pipeline import TextToVideoPipeline
from vidrt.engine.process_memory import anonymous_bytes, peak_resident_bytes, reset_peak, resident_bytes

_MIB = 2**20
_STEPS = 3
_LOOK_S = 0.01


class _PrivateMemory:
    """Looks at the process's private memory while it lives, of which the system keeps no peak."""

    def __init__(self) -> None:
        self.peak = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def _look(self) -> None:
        while not self._ended.wait(_LOOK_S):
            self.peak = max(self.peak, anonymous_bytes())

    def __enter__(self) -> _PrivateMemory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()


def _generate(bundle: str, size: str, threads: int | None, budget: str | None) -> None:
    height, width, frames = (int(part) for part in size.split("x"))
    pipe = TextToVideoPipeline(bundle, threads=threads, memory_budget=budget)
    options = GenerateOptions(
        "a small red circle moving left",
        height=height,
        width=width,
        num_frames=frames,
        num_inference_steps=_STEPS,
        seed=0,
    )
    plan = pipe.plan(options)
    opened = resident_bytes()
    reset_peak()
    with _PrivateMemory() as private:
        pipe.generate(options)
    peak = peak_resident_bytes()
    print(json.dumps({**plan.to_dict(), "opened": opened, "peak": peak, "private": private.peak}))


def main() -> None:
    """Print a row for each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle")
    parser.add_argument("sizes", nargs="+", help="HEIGHTxWIDTHxFRAMES")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--memory-budget")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        _generate(args.bundle, args.sizes[0], args.threads, args.memory_budget)
        return
    columns = [
        "height x width x frames",
        "modules loaded",
        "predicted MiB",
        "measured MiB",
        "ratio",
        "opened",
        "peak",
        "private",
    ]
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for size in args.sizes:
        command = [sys.executable, "-W", "ignore", __file__, "--one", args.bundle, size]
        for option in ("threads", "memory_budget"):
            if (value := getattr(args, option)) is not None:
                command += [f"--{option.replace('_', '-')}", str(value)]
        row = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
        if not row["activations_known"]:
            parser.error("activations are not measured; run `vidrt plan BUNDLE --measure` first.")
        predicted = row["total_bytes"] + row["frame_bytes"]
        measured = row["peak"] - row["opened"]
        sizes = [f"{row[name] / _MIB:.0f}" for name in ("opened", "peak", "private")]
        print(
            f"| {size} | {row['residency'].replace('_', ' ')} | {predicted / _MIB:.1f} | {measured / _MIB:.1f} "
            f"| {predicted / measured:.2f} | {' | '.join(sizes)} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
