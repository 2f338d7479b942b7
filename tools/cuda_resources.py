#!/usr/bin/env python3
"""Compile every CUDA kernel for each architecture and say what it takes: registers, shared and local memory, spills.

Needs nvcc (a toolkit's, or that of the wheels: pip install 'vidrt[nvcc]') and no GPU. Prints the most that each family
of kernels takes, or, with --write, writes that and every kernel's registers to benchmarks/CUDA_RESOURCES.md. Returns 1
where a kernel spills registers to memory.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "csrc" / "kernels"
FOLDERS = ("cuda", "loop")
REPORT = ROOT / "benchmarks" / "CUDA_RESOURCES.md"
SHARED_KIB = 48  # kWindowSharedBytes of csrc/kernels/cuda/window_layout.h
ARCHITECTURES = (87, 89, 90, 110, 120)
FLAGS = ("-std=c++17", "-O3", "--expt-relaxed-constexpr", f"-I{ROOT / 'csrc'}")
TYPES = {"float": "fp32", "vidrt::kernels::Float16": "fp16", "vidrt::kernels::BFloat16": "bf16"}
LAYOUTS = {"0": "NCTHW", "1": "NTHWC"}
LOOP = {
    "scheduler_step": "scheduler step",
    "fill": "fill",
    "find_not_finite": "not finite",
    "sum_differences": "differences",
    "blend": "blend",
}


@dataclass(frozen=True)
class Kernel:
    """One compiled kernel; memory in bytes a thread, shared memory (besides what a launch asks for) a block."""

    family: str
    name: str
    architecture: int
    registers: int
    shared: int
    stack: int
    spill_stores: int
    spill_loads: int


def find_nvcc() -> str | None:
    """The compiler that csrc/cmake/VidrtCuda.cmake finds: a toolkit's, that of this Python's packages, or PATH's."""
    wheels = sorted(Path(sysconfig.get_path("purelib")).glob("nvidia/cu[0-9]*/bin"), reverse=True)
    homes = [Path(os.environ[name]) / "bin" for name in ("CUDA_HOME", "CUDA_PATH") if name in os.environ]
    places = [*homes, Path("/usr/local/cuda/bin"), *wheels]
    return next((str(p / "nvcc") for p in places if (p / "nvcc").is_file()), shutil.which("nvcc"))


def release(nvcc: str) -> str:
    """As "13.0.88"."""
    out = subprocess.run([nvcc, "--version"], check=True, capture_output=True, text=True).stdout
    found = re.search(r"V(\d+\.\d+\.\d+)", out)
    return found.group(1) if found else "an unknown release"


def compile_source(nvcc: str, source: Path, architecture: int) -> list[Kernel]:
    """Compile one file for one architecture. Raises SystemExit with the compiler's message where that fails."""
    with tempfile.TemporaryDirectory() as folder:
        command = [nvcc, *FLAGS, "-cubin", f"-arch=sm_{architecture}", "-Xptxas", "-v"]
        command += ["-o", str(Path(folder) / "kernels.cubin"), str(source)]
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"cuda-resources: {source.name} does not compile for sm_{architecture}:\n{done.stderr}")
    return list(parse(done.stderr))


def parse(messages: str) -> Iterator[Kernel]:
    """The kernels that `ptxas -v` reports on."""
    blocks = re.split(r"ptxas info\s*: Compiling entry function ", messages)[1:]
    names = demangle([block.split("'")[1] for block in blocks])
    for block, name in zip(blocks, names, strict=True):
        architecture = re.search(r"for 'sm_(\d+)", block)
        memory = re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", block)
        used = re.search(r"Used (\d+) registers", block)
        if architecture is None or memory is None or used is None:
            sys.exit(f"cuda-resources: ptxas says of a kernel what this tool cannot read:\n{block}")
        shared = re.search(r"(\d+) bytes smem", block)
        stack, stores, loads = map(int, memory.groups())
        yield Kernel(
            *readable(name),
            int(architecture.group(1)),
            int(used.group(1)),
            int(shared.group(1)) if shared else 0,
            stack,
            stores,
            loads,
        )


def demangle(names: list[str]) -> list[str]:
    """C++ names as they are written."""
    done = subprocess.run(["c++filt"], input="\n".join(names), check=True, capture_output=True, text=True)
    return done.stdout.splitlines()


def readable(name: str) -> tuple[str, str]:
    """The kernel's family and name, as "window, NCTHW" and "window 3x3x3, NCTHW, fp16"."""
    window = re.search(r"depthwise_window<.*?(Planar|ChannelsLast)Tile<(.*?), (\d), (\d), (\d)>", name)
    if window:
        layout = "NCTHW" if window[1] == "Planar" else "NTHWC"
        return f"window, {layout}", f"window {window[3]}x{window[4]}x{window[5]}, {layout}, {TYPES[window[2]]}"
    pointwise = re.search(r"pointwise_product<(.*?), .*?\)?(\d), (\d)>", name)
    if pointwise:
        layout = LAYOUTS[pointwise[2]]
        return f"1x1x1, {layout}", f"1x1x1 at {32 * int(pointwise[3])} positions, {layout}, {TYPES[pointwise[1]]}"
    general = re.search(r"depthwise_general<(.*?)>", name)
    if general:
        return "general", f"general, both layouts, {TYPES[general[1]]}"
    loop = re.search(r"loop::(\w+)<\(?(?:int|bool)?\)?(\w+)>", name)
    if loop and loop[1] in LOOP:
        return "sampling loop", f"{LOOP[loop[1]]}, {'words' if loop[2] == '4' else 'single floats'}"
    frames = re.search(r"loop::frames_to_rgb<(unsigned char|float), \(?(?:bool)?\)?(\w+)>", name)
    if frames:
        output = "uint8" if frames[1] == "unsigned char" else "float32"
        return "sampling loop", f"frames to {output}, {'words' if frames[2] in ('1', 'true') else 'single floats'}"
    sys.exit(f"cuda-resources: got the kernel {name}, expected one of depthwise_window, depthwise_general, "
             "pointwise_product and those of csrc/kernels/loop; add it to readable() in this file")  # fmt: skip


def families(kernels: Iterable[Kernel]) -> str:
    """Markdown: a row for each family and architecture, with the most that any of its kernels takes."""
    groups: dict[tuple[str, int], list[Kernel]] = {}
    for kernel in kernels:
        groups.setdefault((kernel.family, kernel.architecture), []).append(kernel)
    lines = [
        "| family | architecture | kernels | registers | static shared | stack frame | spill stores | spill loads |"
    ]
    lines.append("|---" * 8 + "|")
    for (family, architecture), group in sorted(groups.items()):
        most = [
            max(getattr(kernel, name) for kernel in group)
            for name in ("registers", "shared", "stack", "spill_stores", "spill_loads")
        ]
        lines.append(f"| {family} | sm_{architecture} | {len(group)} | " + " | ".join(map(str, most)) + " |")
    return "\n".join(lines)


def registers(kernels: Iterable[Kernel]) -> str:
    """Markdown: a row for each kernel, a column for each architecture."""
    found = {(kernel.name, kernel.architecture): kernel.registers for kernel in kernels}
    architectures = sorted({architecture for _, architecture in found})
    lines = ["| kernel | " + " | ".join(f"sm_{architecture}" for architecture in architectures) + " |"]
    lines.append("|---" * (len(architectures) + 1) + "|")
    for name in sorted({name for name, _ in found}):
        lines.append(f"| {name} | " + " | ".join(str(found[name, one]) for one in architectures) + " |")
    return "\n".join(lines)


def report(nvcc: str, kernels: list[Kernel]) -> str:
    """The file that --write makes."""
    return f"""# What the CUDA kernels take

By nvcc {release(nvcc)}. Written by `make cuda-resources`, which fails where a register is spilled; no GPU was needed,
and none has run these kernels.

The most that any kernel of a family takes: registers a thread; static shared memory in bytes a block (what a launch
asks for comes on top, at most {SHARED_KIB} KiB: docs/cuda_kernels.md); stack frame and spills in bytes a thread.

{families(kernels)}

Registers a thread of each kernel:

{registers(kernels)}
"""


def main() -> int:
    """Compile, print or write the tables, and return 1 where registers were spilled."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nvcc", default=find_nvcc(), help="the compiler (now: %(default)s)")
    parser.add_argument("--architectures", type=int, nargs="+", default=ARCHITECTURES, help="default: %(default)s")
    parser.add_argument("--sources", default="*.cu", help="a pattern of file names (default: %(default)s)")
    parser.add_argument("--write", action="store_true", help=f"write {REPORT.relative_to(ROOT)}")
    arguments = parser.parse_args()
    if arguments.nvcc is None or shutil.which(arguments.nvcc) is None:
        sys.exit(f"cuda-resources: got no nvcc that runs ({arguments.nvcc}), expected one in CUDA_HOME, in "
                 f"/usr/local/cuda, among the packages of {sys.executable} or on PATH; install the CUDA toolkit "
                 "(13.0 knows all architectures), or run `make setup`")  # fmt: skip
    sources = [source for folder in FOLDERS for source in sorted((SOURCES / folder).glob(arguments.sources))]
    jobs = [(source, sm) for source in sources for sm in arguments.architectures]
    if not jobs:
        sys.exit(f"cuda-resources: no file in {', '.join(FOLDERS)} of {SOURCES} is called {arguments.sources}")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        compiled = pool.map(lambda job: compile_source(arguments.nvcc, *job), jobs)
        kernels = [kernel for part in compiled for kernel in part]
    if arguments.write:
        staged = REPORT.with_suffix(".tmp")
        staged.write_text(report(arguments.nvcc, kernels), encoding="utf-8")
        staged.replace(REPORT)
        print(f"cuda-resources: {len(kernels)} kernels, written to {REPORT.relative_to(ROOT)}")
    else:
        print(families(kernels))
    spilled = [kernel for kernel in kernels if kernel.spill_stores or kernel.spill_loads]
    for kernel in spilled:
        print(f"cuda-resources: {kernel.name} on sm_{kernel.architecture} spills registers to memory: got "
              f"{kernel.spill_stores} bytes of stores and {kernel.spill_loads} of loads, expected 0; give its threads "
              "more (csrc/kernels/cuda/window_layout.h) or less to do", file=sys.stderr)  # fmt: skip
    return 1 if spilled else 0


if __name__ == "__main__":
    sys.exit(main())
