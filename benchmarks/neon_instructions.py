"""Instructions that the NEON kernels take beside plain loops: `make neon-instructions`. Writes NEON.md.

Where there is no Arm processor to take times on, the cross-compiled program runs under qemu one instruction at a time,
which logs each; two runs of different length tell what one convolution takes. Instructions are not time: they say how
much work there is, not how well a processor overlaps it.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
QEMU = "qemu-aarch64-static"
SYSROOT = "/usr/aarch64-linux-gnu"
KERNELS = ((3, 3, 3), (5, 5, 5), (1, 3, 3), (3, 1, 1))
SHAPES = ((2, 4, 16, 32), (2, 4, 15, 26), (4, 5, 8, 8))
"""C, T, H, W: a width of whole vectors, one of none, and a small picture."""


def executed(program: Path, form: str, runs: int, kernel: tuple[int, ...], shape: tuple[int, ...]) -> int:
    """Instructions of the whole program."""
    command = [QEMU, "-L", SYSROOT, "-singlestep", "-d", "nochain,exec", "-D", "/dev/stderr", str(program), form]
    command += [str(value) for value in (runs, *kernel, *shape)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        count = sum(line.startswith(b"Trace") for line in process.stderr)
    if process.returncode != 0:
        sys.exit(f"error: {' '.join(command)} failed with status {process.returncode}")
    return count


def per_result(program: Path, form: str, kernel: tuple[int, ...], shape: tuple[int, ...]) -> float:
    """Instructions of one convolution, by result."""
    channels, frames, height, width = shape
    more, fewer = (executed(program, form, runs, kernel, shape) for runs in (2, 1))
    return (more - fewer) / (channels * frames * height * width)


def main() -> None:
    """Count, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = HERE.parent / "build" / "aarch64" / "tests" / "kernels" / "vidrt_kernel_once"
    parser.add_argument("--program", type=Path, default=default, help="the cross-compiled program")
    program: Path = parser.parse_args().program
    if shutil.which(QEMU) is None or not program.is_file():
        sys.exit(f"error: {QEMU} and {program} are needed; install qemu-user-static, and run `make neon-instructions`.")
    lines = [
        "# Instructions of the NEON kernels",
        "",
        "Made by `make neon-instructions`; do not edit. Executed instructions by result, fp32, causal, with bias;",
        "`plain` is loops in C++ with a test for the border at every tap, compiled with the same flags. No time was",
        "taken: these kernels have never run on an Arm processor.",
        "",
        "| kernel | CxTxHxW | plain | NEON | times fewer |",
        "|---|---|---|---|---|",
    ]
    for kernel in KERNELS:
        for shape in SHAPES:
            plain, neon = (per_result(program, form, kernel, shape) for form in ("plain", "neon"))
            sizes = ("x".join(map(str, kernel)), "x".join(map(str, shape)))
            lines.append(f"| {sizes[0]} | {sizes[1]} | {plain:.1f} | {neon:.1f} | {plain / neon:.1f} |")
            print(lines[-1], flush=True)
    (HERE / "NEON.md").write_text("\n".join(lines) + "\n")
    print(f"wrote {HERE / 'NEON.md'}")


if __name__ == "__main__":
    main()
