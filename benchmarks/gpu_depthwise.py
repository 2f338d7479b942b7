#!/usr/bin/env python3
"""The CUDA kernels beside PyTorch's, cuDNN's and TensorRT's on this machine's GPU: `make bench-gpu`.

All contenders of a row take turns on one stream, each after memory that no level 2 cache holds has been written, so
that all begin with a cold cache; CUDA events time them, and a figure is the median over the rounds. `copy` moves X to Y
on the device: a kernel cannot be much faster. A contender whose result is not that of the convolution in double
precision ends the run. Writes results/kernels/gpu_depthwise.json and GPU_DEPTHWISE.md.

Without a GPU it says so and returns 77. It has never run on one.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import statistics
import sys
from pathlib import Path
from typing import Any

import torch
from depthwise import KERNELS, SHAPES
from depthwise_graphs import FORMS
from depthwise_report import by_x
from gpu_case import TOLERANCES, TYPES, Case, Tensors, relative_error
from gpu_contenders import contenders_of

HERE = Path(__file__).resolve().parent
RESULT = HERE / "results" / "kernels" / "gpu_depthwise.json"
REPORT = HERE / "GPU_DEPTHWISE.md"
SKIPPED = 77
ROUNDS, WARMUP = 31, 5
FLUSHED_BYTES = 256 << 20
"""More than any device's level 2 cache."""


def why_no_gpu() -> str:
    """Empty where PyTorch has a device."""
    try:
        torch.cuda.init()
    except (RuntimeError, AssertionError) as error:
        return str(error).splitlines()[0]
    return ""


def check(case: Case, name: str, y: torch.Tensor) -> None:
    """Compare a result with the convolution in double precision; ends the process where they differ."""
    error = relative_error(case, y, Tensors.random(case, "NCTHW"))
    if not error <= TOLERANCES[case.type]:
        sys.exit(f"gpu_depthwise: {name}, {case}: got a result that differs by {error:.1e}, expected at most "
                 f"{TOLERANCES[case.type]:.0e}; run `make test-gpu`")  # fmt: skip


def measure(library: Path, case: Case) -> dict[str, Any]:
    """Milliseconds of every contender, by round."""
    present, absent = contenders_of(library, case)
    for name, run in list(present.items()):
        try:
            y = run()
        except (RuntimeError, NotImplementedError) as error:
            if name.startswith("vidrt"):
                raise
            # Not every kernel of the others takes every type and size.
            absent[name] = str(error).splitlines()[0]
            del present[name]
        else:
            if name != "copy":
                check(case, name, y)
    flushed = torch.empty(FLUSHED_BYTES, dtype=torch.uint8, device="cuda")
    begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    times: dict[str, list[float]] = {name: [] for name in present}
    for index in range(WARMUP + ROUNDS):
        for name, run in present.items():
            flushed.fill_(index)
            begin.record()
            run()
            end.record()
            end.synchronize()
            if index >= WARMUP:
                times[name].append(begin.elapsed_time(end))
    return dataclasses.asdict(case) | {"times": times, "absent": absent}


def table(form: str, type_: str, rows: list[dict[str, Any]]) -> str:
    """One form and element type as Markdown: milliseconds, and who did not take part where."""
    own = [row for row in rows if (row["form"], row["type"]) == (form, type_)]
    names = list(dict.fromkeys(name for row in own for name in row["times"]))
    lines = [
        f"## {FORMS[form]}, {type_}",
        "",
        "| kernel | CxTxHxW | " + " | ".join(names) + " |",
        "|---" * (2 + len(names)) + "|",
    ]
    absences: dict[str, list[str]] = {}
    for row in own:
        sizes = f"{by_x(row['kernel'])} over {by_x(row['shape'])}"
        medians = (f"{statistics.median(row['times'][name]):.3f}" if name in row["times"] else "" for name in names)
        lines.append(f"| {by_x(row['kernel'])} | {by_x(row['shape'])} | " + " | ".join(medians) + " |")
        for name, reason in row["absent"].items():
            absences.setdefault(f"{name} did not take part: {reason}", []).append(sizes)
    reasons = [
        f"- {text}" + ("" if len(where) == len(own) else f" ({', '.join(where)})") for text, where in absences.items()
    ]
    return "\n".join([*lines, "", *reasons]).rstrip() + "\n"


def main() -> int:
    """Measure everything and write the report; SKIPPED without a GPU."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only ask whether there is a GPU")
    parser.add_argument("--library", type=Path, help="libvidrt_gpu_bench.so of the CUDA build")
    arguments = parser.parse_args()
    reason = why_no_gpu()
    if reason:
        print(f"gpu_depthwise: skipped, nothing was measured: {reason}", file=sys.stderr)
        return SKIPPED
    if arguments.check:
        return 0
    if arguments.library is None or not arguments.library.is_file():
        sys.exit(f"gpu_depthwise: got {arguments.library} for --library, expected libvidrt_gpu_bench.so; `make "
                 "bench-gpu` builds it and passes it")  # fmt: skip
    rows = []
    with torch.cuda.stream(torch.cuda.Stream()):
        for type_, form in itertools.product(TYPES, FORMS):
            for kernel, shape in itertools.product(KERNELS[form], SHAPES):
                rows.append(measure(arguments.library, Case(form, kernel, shape, type_)))
                print(f"{type_} {form} {by_x(kernel)} {by_x(shape)}", flush=True)
    device = torch.cuda.get_device_name()
    versions = f"PyTorch {torch.__version__}, cuDNN {torch.backends.cudnn.version()}"
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(
        json.dumps({"schema_version": 1, "device": device, "versions": versions, "rows": rows}, indent=1) + "\n"
    )
    header = (
        f"# Depthwise 3D convolution on the GPU\n\nMade by `make bench-gpu`; do not edit. {device}; {versions}. "
        f"Milliseconds, medians of {ROUNDS} rounds with a cold level 2 cache; the contenders of a row take turns. "
        "`copy` moves X to Y; `vidrt, then cudnn` are vidrt's depthwise operator and cuDNN's 1x1x1 convolution.\n"
    )
    sections = [table(form, type_, rows) for type_, form in itertools.product(TYPES, FORMS)]
    REPORT.write_text("\n".join([header, *sections]))
    print(f"gpu_depthwise: written to {REPORT}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
