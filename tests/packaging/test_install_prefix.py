"""A C++ and a C project use an installed vidrt through CMake and through pkg-config."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., str]

VERSION_PROGRAMS = {
    "cpp": '#include <cstdio>\n#include "vidrt/version.h"\nint main() { std::puts(vidrt::version()); }\n',
    "c": '#include <stdio.h>\n#include "vidrt/vidrt.h"\nint main(void) { puts(vidrt_version()); return 0; }\n',
}
COMPILERS = {"cpp": ["c++", "-std=c++17"], "c": ["cc", "-std=c11"]}


@pytest.fixture(scope="module")
def version(root: Path) -> str:
    """The version that pyproject.toml declares."""
    lines = (root / "pyproject.toml").read_text(encoding="utf-8").splitlines()
    return next(line.split('"')[1] for line in lines if line.startswith("version = "))


def pkg_config(run: Run, prefix: Path) -> list[str]:
    """The compiler and linker flags that pkg-config gives for the installed vidrt."""
    folder = next(prefix.glob("lib*/**/pkgconfig"))
    out = run([Path(sys.executable).parent / "pkgconf", "--cflags", "--libs", "vidrt"], PKG_CONFIG_PATH=str(folder))
    return out.split()


def library_folder(prefix: Path) -> str:
    return str(next(prefix.rglob("libvidrt.so")).parent)


@pytest.mark.parametrize("language", ["cpp", "c"])
def test_the_examples_build_against_the_prefix_through_find_package(
    run: Run, root: Path, language: str, prefix: Path, tmp_path: Path
) -> None:
    run(["cmake", "-S", root / "examples" / language, "-B", tmp_path, f"-DCMAKE_PREFIX_PATH={prefix}"])
    run(["cmake", "--build", tmp_path])
    sources = {path.stem for path in (root / "examples" / language).glob(f"*.{language}")}
    assert sources
    assert {path.name for path in tmp_path.glob(f"example_{language}_*")} == {
        f"example_{language}_{name}" for name in sources
    }


@pytest.mark.parametrize("language", ["cpp", "c"])
def test_a_program_builds_and_runs_through_pkg_config(
    run: Run, language: str, prefix: Path, version: str, tmp_path: Path
) -> None:
    source = tmp_path / f"program.{language}"
    source.write_text(VERSION_PROGRAMS[language], encoding="utf-8")
    program = tmp_path / "program"
    run([*COMPILERS[language], "-Wall", "-Wextra", "-Werror", source, "-o", program, *pkg_config(run, prefix)])
    assert run([program], LD_LIBRARY_PATH=library_folder(prefix)).strip() == version


@pytest.mark.parametrize("language", ["cpp", "c"])
def test_the_examples_compile_through_pkg_config(
    run: Run, root: Path, language: str, prefix: Path, tmp_path: Path
) -> None:
    flags = pkg_config(run, prefix)
    for source in (root / "examples" / language).glob(f"*.{language}"):
        run([*COMPILERS[language], source, "-o", tmp_path / source.stem, *flags])


def test_every_installed_header_compiles_on_its_own(run: Run, prefix: Path, tmp_path: Path) -> None:
    for header in sorted((prefix / "include" / "vidrt").glob("*.h")):
        source = tmp_path / "one.cpp"
        source.write_text(f'#include "vidrt/{header.name}"\n', encoding="utf-8")
        run(["c++", "-std=c++17", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", f"-I{prefix / 'include'}", source])


def test_the_library_exports_only_vidrt(run: Run, prefix: Path) -> None:
    library = next(prefix.rglob("libvidrt.so"))
    lines = run(["nm", "--dynamic", "--demangle", "--defined-only", library]).splitlines()
    names = [line.split(maxsplit=2)[2] for line in lines]
    foreign = [name for name in names if "vidrt" not in name.split("(")[0]]
    assert names
    assert not foreign


@pytest.mark.parametrize("name", ["libvidrt.so", "libvidrt_ort_ops.so"])
def test_the_library_loads_without_onnxruntime_or_tensorrt(run: Run, prefix: Path, name: str) -> None:
    library = next(prefix.rglob(name))
    needed = subprocess.run(["ldd", library], check=True, capture_output=True, text=True).stdout
    assert "libstdc++" in needed
    assert "onnxruntime" not in needed
    assert "nvinfer" not in needed


def test_the_library_of_operators_exports_only_its_entry(run: Run, prefix: Path) -> None:
    library = next(prefix.rglob("libvidrt_ort_ops.so"))
    lines = run(["nm", "--dynamic", "--defined-only", library]).splitlines()
    assert [line.split()[2] for line in lines] == ["RegisterCustomOps"]


OPS_PROJECT = """
cmake_minimum_required(VERSION 3.22)
project(uses_operators LANGUAGES CXX)
find_package(vidrt REQUIRED)
file(WRITE "${CMAKE_BINARY_DIR}/variable" "${vidrt_ORT_OPS_LIBRARY}")
file(GENERATE OUTPUT "${CMAKE_BINARY_DIR}/target" CONTENT "$<TARGET_FILE:vidrt::ort_ops>")
"""


def test_cmake_and_pkg_config_tell_where_the_library_of_operators_lies(run: Run, prefix: Path, tmp_path: Path) -> None:
    (tmp_path / "CMakeLists.txt").write_text(OPS_PROJECT, encoding="utf-8")
    build = tmp_path / "build"
    run(["cmake", "-S", tmp_path, "-B", build, f"-DCMAKE_PREFIX_PATH={prefix}"])
    folder = next(prefix.glob("lib*/**/pkgconfig"))
    pkgconf = Path(sys.executable).parent / "pkgconf"
    told = [(build / "variable").read_text(), (build / "target").read_text()]
    told.append(run([pkgconf, "--variable=ort_ops", "vidrt"], PKG_CONFIG_PATH=str(folder)).strip())
    library = next(prefix.rglob("libvidrt_ort_ops.so"))
    assert [Path(path).resolve() for path in told] == [library] * 3
