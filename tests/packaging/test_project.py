"""What the project says about itself in several places says the same."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

import vidrt


def test_the_version_is_the_same_in_python_and_cpp_and_pyproject(root: Path) -> None:
    declared = re.search(r'^version = "(.*)"$', (root / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    assert declared is not None
    assert vidrt.__version__ == declared.group(1)


@pytest.mark.parametrize("name", ["bootstrap", "demo", "core", "test", "tensorrt"])
def test_every_locked_requirement_has_a_hash_and_none_names_an_index(name: str, root: Path) -> None:
    text = (root / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    entries = re.split(r"\n(?=\S)", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).strip())
    assert entries
    assert not [entry for entry in entries if "==" not in entry or "--hash=sha256:" not in entry]
    assert "://" not in text


@pytest.mark.parametrize(("smaller", "larger"), [("demo", "core"), ("core", "test")])
def test_a_larger_lock_holds_all_of_the_smaller_one(smaller: str, larger: str, root: Path) -> None:
    def pins(name: str) -> set[str]:
        text = (root / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
        return set(re.findall(r"^[\w.-]+==[\w.+]+", text, re.MULTILINE))

    assert pins(smaller) <= pins(larger)


def test_every_cpp_dependency_is_pinned_by_hash_in_each_of_its_sources(root: Path) -> None:
    pins = json.loads((root / "csrc" / "cmake" / "dependencies.json").read_text(encoding="utf-8"))
    assert pins
    for pin in pins.values():
        sources = [source for key, source in pin.items() if key != "version"]
        assert len(sources) == 2
        assert all(re.fullmatch(r"[0-9a-f]{64}", source["sha256"]) for source in sources)


def test_the_gpu_tests_are_given_the_libraries_that_pipelines_open_on_a_gpu(root: Path) -> None:
    # `make build` makes none of them; without the folder every Python test would skip on a machine with a GPU.
    done = subprocess.run(
        ["make", "--dry-run", "test-gpu", "BUILD=elsewhere"], cwd=root, capture_output=True, text=True, check=True
    )
    built = re.search(r"cmake --build --preset cuda --target (.*)", done.stdout)
    assert built is not None
    assert built.group(1).split() == ["vidrt_gpu_tests", "vidrt_gpu_libraries"]
    (tests,) = [line for line in done.stdout.splitlines() if "pytest tests -m gpu" in line]
    assert f'VIDRT_LIBRARY_DIR="{root / "elsewhere" / "cuda" / "csrc"}"' in tests
    libraries = set(re.findall(r'"(libvidrt_\w+)": ', (root / "tools/check_wheel.py").read_text(encoding="utf-8")))
    listed = re.search(
        r"vidrt_gather\(vidrt_gpu_libraries (.*)\)", (root / "tests/gpu/CMakeLists.txt").read_text(encoding="utf-8")
    )
    assert listed is not None
    assert {f"lib{name}" for name in listed.group(1).split()} == libraries - {"libvidrt_ort_ops"}


def test_every_test_that_coverage_names_is_there(root: Path) -> None:
    named = re.findall(
        r"`((?:unit|export|packaging|cpp|cuda_host|fuzz|gpu|tensorrt)/[\w/]+\.\w+)(?:::(\w+))?`",
        (root / "tests/COVERAGE.md").read_text(encoding="utf-8"),
    )
    assert len(named) > 50
    for file, test in named:
        path = root / "tests" / file
        assert path.is_file(), file
        assert not test or re.search(rf"\b{test}\b", path.read_text(encoding="utf-8")), f"{file}::{test}"
