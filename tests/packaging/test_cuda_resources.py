"""What tools/cuda_resources.py says of a compiler's report: on kernels that fit, that spill, and on no compiler."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(shutil.which("c++filt") is None, reason="c++filt (binutils) is not installed")

GENERAL = "_ZN5vidrt7kernels4cuda17depthwise_generalINS0_7Float16EEEvNS1_13GeneralParamsE"
WINDOW = (
    "_ZN5vidrt7kernels4cuda16depthwise_windowINS1_10PlanarTileINS0_7Float16ELi3ELi3ELi3EEES4_Li3ELi3EEE"
    "vNS1_12WindowParamsE"
)


def nvcc(folder: Path, kernel: str, spills: int) -> Path:
    """A compiler that reports one kernel, whatever it is given."""
    path = folder / "nvcc"
    path.write_text(
        f"""#!/bin/sh
cat >&2 <<END
ptxas info    : Compiling entry function '{kernel}' for 'sm_87'
ptxas info    : Function properties for {kernel}
    {spills} bytes stack frame, {spills} bytes spill stores, {2 * spills} bytes spill loads
ptxas info    : Used 112 registers, used 1 barriers
END
"""
    )
    path.chmod(0o755)
    return path


def run(root: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, root / "tools" / "cuda_resources.py", *arguments]
    environment = {name: value for name, value in os.environ.items() if name not in ("CUDA_HOME", "CUDA_PATH")}
    return subprocess.run(map(str, command), capture_output=True, text=True, env=environment)


def test_kernels_that_fit_their_registers_are_listed(root: Path, tmp_path: Path) -> None:
    done = run(root, "--nvcc", nvcc(tmp_path, WINDOW, 0), "--sources", "depthwise_f16.cu", "--architectures", "87")
    assert done.returncode == 0, done.stderr
    assert "| window, NCTHW | sm_87 | 1 | 112 | 0 | 0 | 0 | 0 |" in done.stdout


@pytest.mark.parametrize(
    "kernel",
    [
        "void vidrt::kernels::loop::blend<4>(vidrt::kernels::LoopBlend)",
        "void vidrt::kernels::loop::frames_to_rgb<float, false>(vidrt::kernels::LoopFrames, float*)",
        "void vidrt::kernels::loop::frames_to_rgb<unsigned char, (bool)1>(vidrt::kernels::LoopFrames, unsigned char*)",
    ],
)
def test_kernels_of_the_sampling_loop_have_names(root: Path, tmp_path: Path, kernel: str) -> None:
    done = run(root, "--nvcc", nvcc(tmp_path, kernel, 0), "--sources", "blend.cu", "--architectures", "87")
    assert done.returncode == 0, done.stderr
    assert "| sampling loop | sm_87 | 1 | 112 |" in done.stdout


def test_a_kernel_that_spills_is_named_and_fails(root: Path, tmp_path: Path) -> None:
    done = run(root, "--nvcc", nvcc(tmp_path, GENERAL, 8), "--sources", "depthwise_f16.cu", "--architectures", "87")
    assert done.returncode == 1
    assert "general, both layouts, fp16 on sm_87 spills" in done.stderr
    assert "got 8 bytes of stores and 16 of loads, expected 0" in done.stderr


def test_no_compiler_is_one_line_that_says_what_to_install(root: Path, tmp_path: Path) -> None:
    done = run(root, "--nvcc", tmp_path / "nvcc")
    assert done.returncode == 1
    assert done.stderr.startswith("cuda-resources: got no nvcc that runs")
    assert "Traceback" not in done.stderr
