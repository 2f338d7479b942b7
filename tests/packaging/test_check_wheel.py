"""tools/check_wheel.py on wheels made here: of builds with and without CUDA and TensorRT, and of faulty ones."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import zipfile
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import pytest

PLAIN = {"_core": ("PyInit__core",), "libvidrt_ort_ops": ("RegisterCustomOps",)}
CUDA = {"libvidrt_cuda": ("vidrt_cuda_version", "vidrt_cuda_open_device")}
BACKEND = ("vidrt_tensorrt_check_library", "vidrt_tensorrt_make_backend")
TENSORRT = {
    "libvidrt_tensorrt": ("vidrt_tensorrt_version", *BACKEND),
    "libvidrt_tensorrt_rtx": ("vidrt_tensorrt_rtx_version", *BACKEND),
    "libvidrt_trt_plugins": ("getCreators", "setLoggerFinder"),
}


@pytest.fixture(scope="module")
def check_wheel(root: Path) -> ModuleType:
    if shutil.which("cc") is None:
        pytest.skip("there is no C compiler")
    spec = importlib.util.spec_from_file_location("check_wheel", root / "tools" / "check_wheel.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def library(folder: Path, name: str, exports: tuple[str, ...], *options: str) -> Path:
    """A shared library with these functions and nothing else."""
    source = folder / f"{name}.c"
    source.write_text("".join(f"int {export}(void) {{ return 0; }}\n" for export in exports))
    made = folder / f"{name}.so"
    command = ["cc", "-shared", "-fPIC", "-nostdlib", "-o", str(made), str(source), *options]
    subprocess.run(command, check=True, capture_output=True)
    return made


def wheel(folder: Path, libraries: Mapping[str, tuple[str, ...]], **options: tuple[str, ...]) -> Path:
    """A wheel of these libraries, with options of the linker by library."""
    made = folder / "vidrt-1-py3-none-any.whl"
    with zipfile.ZipFile(made, "w") as archive:
        for module in ("__init__.py", "py.typed", "_core.pyi", "engine/__init__.py", "export/__init__.py"):
            archive.writestr(f"vidrt/{module}", "")
        for name, exports in libraries.items():
            rpath = ("-Wl,-rpath,$ORIGIN",) if name in PLAIN else ()
            archive.write(library(folder, name, exports, *rpath, *options.get(name, ())), f"vidrt/{name}.so")
    return made


@pytest.mark.parametrize("more", [{}, CUDA, TENSORRT, CUDA | TENSORRT], ids=["plain", "cuda", "tensorrt", "both"])
def test_a_wheel_holds_the_libraries_that_were_built(
    check_wheel: ModuleType, tmp_path: Path, more: dict[str, tuple[str, ...]]
) -> None:
    assert check_wheel.wheel_faults(wheel(tmp_path, PLAIN | more)) == []


def test_libraries_that_are_missing_or_unknown_are_faults(check_wheel: ModuleType, tmp_path: Path) -> None:
    (fault,) = check_wheel.wheel_faults(wheel(tmp_path, {"_core": PLAIN["_core"]} | CUDA))
    assert "expected _core, libvidrt_ort_ops" in fault
    faults = check_wheel.wheel_faults(wheel(tmp_path, PLAIN | {"libother": ("other",)}))
    assert any("libother.so" in fault and "expected _core" in fault for fault in faults)
    assert any("exports 1 symbols (other" in fault and "expected nothing" in fault for fault in faults)


@pytest.mark.parametrize("needed", ["libcudart.so.13", "libnvinfer.so.10", "libtensorrt_rtx.so.1", "libcudnn.so.9"])
def test_what_a_gpu_needs_is_never_needed_at_load_time(check_wheel: ModuleType, tmp_path: Path, needed: str) -> None:
    foreign = library(tmp_path, "foreign", ("foreign",), f"-Wl,-soname,{needed}")
    options = ("-Wl,--no-as-needed", str(foreign))
    faults = check_wheel.wheel_faults(wheel(tmp_path, PLAIN | CUDA | TENSORRT, libvidrt_tensorrt=options))
    assert faults == [f"vidrt/libvidrt_tensorrt.so needs {needed} at load time"]


def test_other_exports_and_rpaths_are_faults(check_wheel: ModuleType, tmp_path: Path) -> None:
    exports = {"libvidrt_cuda": (*CUDA["libvidrt_cuda"], "cudaMalloc")}
    rpath = ("-Wl,-rpath,/usr/local/cuda/lib64",)
    faults = check_wheel.wheel_faults(wheel(tmp_path, PLAIN | exports, libvidrt_cuda=rpath))
    assert len(faults) == 2
    assert "/usr/local/cuda/lib64" in faults[0]
    assert "exports 3 symbols" in faults[1]
