"""`--build-engines` and build_engines=True with TensorRT for RTX, which builds without a GPU and then does not run."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import vidrt
from vidrt import _core
from vidrt.engine.builder import BuildEvent, BuildOptions, EngineCache, Range, build_engines
from vidrt.engine.builder.flavour import load_flavour
from vidrt.engine.builder.missing import EngineUse, call_with_engines
from vidrt.engine.builder.targets import local_compute_capability
from vidrt.engine.bundle import Bundle
from vidrt.engine.errors import BackendError

Run = Callable[..., subprocess.CompletedProcess[str]]

BACKEND = "tensorrt-rtx"
MODULES = ["text_encoder", "denoiser", "vae_decoder_first", "vae_decoder_next"]
NOT_RUN = r"libvidrt_tensorrt_rtx.so|libvidrt_cuda.so|driver"
"""What says on a machine without a GPU that engines are built and not run."""


@pytest.fixture(scope="module", autouse=True)
def _without_a_gpu() -> None:
    try:
        load_flavour(BACKEND)
    except BackendError as error:
        pytest.skip(str(error))
    if local_compute_capability() is not None:
        pytest.skip("this machine has a GPU")


@pytest.fixture(scope="module")
def bundle(pocket_bundle: Path) -> Bundle:
    return Bundle(pocket_bundle)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EngineCache:
    """The user's, and nothing is in it."""
    monkeypatch.setenv("VIDRT_CACHE_DIR", str(tmp_path / "cache"))
    return EngineCache()


@pytest.fixture(scope="module")
def all_built(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], Path]:
    """Opening a pipeline with nothing in the cache: the modules that were built, and the cache."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VIDRT_CACHE_DIR", str(folder))
        return opened(bundle), folder / "engines"


@pytest.fixture
def full(cache: EngineCache, all_built: tuple[list[str], Path]) -> EngineCache:
    """The user's cache with all that a pipeline needs."""
    shutil.copytree(all_built[1], cache.folder)
    return cache


def opened(bundle: Bundle, **options: Any) -> list[str]:
    """Open a pipeline that builds what it lacks, up to the driver that is missing; the modules that were built."""
    events: list[BuildEvent] = []
    with pytest.raises(BackendError, match=NOT_RUN):
        vidrt.TextToVideoPipeline(bundle, BACKEND, build_engines=True, on_build=events.append, **options)
    assert not any(event.reused for event in events)
    return [event.module for event in events if event.done == 1.0]


def sidecar(cache: EngineCache, module: str) -> Path:
    (path,) = cache.folder.glob(f"{module}.*.json")
    return path


def changed(path: Path, part: str, **fields: Any) -> None:
    content = json.loads(path.read_text())
    content[part].update(fields)
    path.write_text(json.dumps(content))


def test_all_that_a_pipeline_runs_is_built_and_then_the_driver_is_missing(all_built: tuple[list[str], Path]) -> None:
    modules, folder = all_built
    assert sorted(modules) == sorted(MODULES)
    assert len(list(folder.glob("*.plan"))) == len(MODULES)


def test_nothing_is_built_where_all_match(full: EngineCache, bundle: Bundle, run_vidrt: Run) -> None:
    before = {path: path.stat().st_mtime_ns for path in full.folder.iterdir()}
    assert opened(bundle) == []
    result = run_vidrt("generate", "a circle", "--backend", BACKEND, "--build-engines")
    assert result.returncode == 4
    assert "built" not in result.stderr.replace("it is built", "").replace("the backend is built", "")
    assert {path: path.stat().st_mtime_ns for path in full.folder.iterdir()} == before


@pytest.mark.parametrize(
    ("part", "fields"),
    [
        ("target", {"version": "1.0.0.1"}),
        ("target", {"machine": "riscv64"}),
        ("source", {"graph_sha256": "0" * 64}),
    ],
)
def test_what_does_not_match_is_built_again_alone(
    full: EngineCache, bundle: Bundle, part: str, fields: dict[str, Any]
) -> None:
    changed(sidecar(full, "text_encoder"), part, **fields)
    assert opened(bundle) == ["text_encoder"]
    assert opened(bundle) == []


def test_the_command_builds_what_is_missing_and_says_so(full: EngineCache, run_vidrt: Run, tmp_path: Path) -> None:
    sidecar(full, "vae_decoder_next").unlink()
    changed(sidecar(full, "text_encoder"), "target", version="1.0.0.1")
    result = run_vidrt("generate", "a circle", "--backend", BACKEND, "--build-engines", "-o", "clip.gif")
    assert result.returncode == 4
    assert "Traceback" not in result.stderr
    lines = [line for line in result.stderr.splitlines() if line.startswith("built the engine of ")]
    assert sorted(lines) == ["built the engine of text_encoder", "built the engine of vae_decoder_next"]
    assert result.stdout == ""
    assert not (tmp_path / "clip.gif").exists()


@pytest.mark.parametrize("arguments", [("bench", "run"), ("bench", "layers"), ("encode", "a circle", "-o", "x.st")])
def test_other_commands_build_too(full: EngineCache, run_vidrt: Run, arguments: tuple[str, ...]) -> None:
    sidecar(full, "text_encoder").unlink()
    result = run_vidrt(*arguments, "--backend", BACKEND, "--build-engines")
    assert result.returncode == 4
    assert "built the engine of text_encoder\n" in result.stderr
    sidecar(full, "text_encoder")


def test_without_the_option_nothing_is_built(cache: EngineCache, run_vidrt: Run, bundle: Bundle) -> None:
    assert run_vidrt("generate", "a circle", "--backend", BACKEND).returncode == 4
    with pytest.raises(BackendError):
        vidrt.TextToVideoPipeline(bundle, BACKEND)
    assert not cache.folder.exists()


class Planner:
    """The core's part that looks for an engine of a size, as a plan does."""

    def __init__(self, cache: EngineCache, bundle: Bundle) -> None:
        self.cache, self.bundle, self.calls = cache, bundle, 0

    def __call__(self) -> Path:
        self.calls += 1
        version = load_flavour(BACKEND).version
        sizes = {"height": 96, "decode_chunk": 12}
        core = self.bundle.core
        return _core.find_engine(self.cache.folder, core, "vae_decoder_next", BACKEND, version, "8.9", sizes)


def test_an_engine_for_other_sizes_is_built_beside_the_one_that_is_there(cache: EngineCache, bundle: Bundle) -> None:
    narrow = BuildOptions(BACKEND, modules=("vae_decoder_next",), height=Range(64, 64, 64))
    build_engines(bundle, narrow)
    plan = Planner(cache, bundle)
    found = call_with_engines(EngineUse(bundle, BACKEND), plan)
    assert plan.calls == 2
    entries = {json.loads(path.read_text())["target"]["sizes"]["height"] for path in cache.folder.glob("*.json")}
    assert entries == {"64", "32:64:128"}
    assert json.loads(found.read_text())["target"]["sizes"]["decode_chunk"] == "1:12:12"
    call_with_engines(EngineUse(bundle, BACKEND), plan)
    assert plan.calls == 3


# A program that, once TensorRT builds the denoiser, sends itself what Ctrl-C sends.
INTERRUPTED = """
import os, signal, sys
from vidrt.engine.builder import builder as module
tell = module.BuildEvent
def event(name, phase, done, **more):
    if name == "denoiser" and phase and not sent:
        sent.append(name)
        os.kill(os.getpid(), signal.SIGINT)
    return tell(name, phase, done, **more)
sent = []
module.BuildEvent = event
"""
IN_PYTHON = """
import vidrt
vidrt.TextToVideoPipeline(sys.argv[1], "tensorrt-rtx", build_engines=True)
"""
IN_THE_COMMAND = """
from vidrt.engine.cli import main
sys.argv = ["vidrt", "generate", "a circle", "--bundle", sys.argv[1], "--backend", "tensorrt-rtx", "--build-engines"]
main()
"""


@pytest.mark.parametrize("program", [IN_PYTHON, IN_THE_COMMAND])
def test_ctrl_c_keeps_finished_engines_and_nothing_half_built(
    cache: EngineCache, bundle: Bundle, program: str, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED + program, str(bundle.path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if program == IN_PYTHON:
        assert "KeyboardInterrupt" in done.stderr
    else:
        assert done.returncode == 128 + signal.SIGINT, done.stderr
        assert "cancelled; finished engines are kept (" in done.stderr
        assert "Traceback" not in done.stderr
    whole = len(cache.entries())
    assert not any(path.name.startswith("denoiser.") for path in cache.folder.iterdir())
    assert len(list(cache.folder.iterdir())) == 3 * whole
