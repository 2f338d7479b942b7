"""`vidrt build` and `vidrt engines` where TensorRT is missing or never reached; with it: tests/tensorrt."""

import json
import sys

import pytest

from vidrt.engine.builder import EngineCache
from vidrt.engine.builder.flavour import load_flavour


@pytest.fixture
def without(monkeypatch):
    """Take Python modules away."""

    def take(*names):
        for name in names:
            monkeypatch.setitem(sys.modules, name, None)
        load_flavour.cache_clear()

    yield take
    load_flavour.cache_clear()


@pytest.fixture
def device(monkeypatch):
    """Say which compute capability the GPU of this machine has; None is no GPU."""

    def say(capability):
        monkeypatch.setattr("vidrt.engine.builder.builder.local_compute_capability", lambda: capability)

    return say


def check_refused(result, code, *parts):
    assert result.returncode == code, result.stdout + result.stderr
    for part in parts:
        assert part in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


def test_tensorrt_on_a_machine_without_a_gpu_says_so_and_what_else_there_is(run_vidrt, device):
    device(None)
    result = run_vidrt("build", "--backend", "tensorrt")
    check_refused(result, 4, "has no CUDA device", "take backend tensorrt-rtx, which builds here")


def test_tensorrt_that_is_not_installed_names_the_packages(run_vidrt, device, without):
    device("8.7")
    without("tensorrt", "tensorrt_bindings")
    result = run_vidrt("build", "--backend", "tensorrt")
    check_refused(result, 4, "not installed", "JetPack", "tensorrt-cu13-bindings", "vidrt[tensorrt]")


def test_tensorrt_rtx_that_is_not_installed_names_the_packages(run_vidrt, without, tmp_path):
    without("tensorrt_rtx", "tensorrt_rtx_bindings")
    result = run_vidrt("build", "--backend", "tensorrt-rtx", "--cache", "engines")
    check_refused(result, 4, "vidrt[tensorrt-rtx]", "tensorrt-rtx-cu13-libs", "nvidia-cuda-runtime")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "code", "parts"),
    [
        ((), 2, ["--backend"]),
        (("--backend", "onnxruntime"), 2, ["backend must be one of tensorrt, tensorrt-rtx, got 'onnxruntime'"]),
        (("--backend", "tensorrt-rtx", "--height", "tall"), 2, ["height must be one number or MIN:OPT:MAX"]),
        (("--backend", "tensorrt-rtx", "--height", "33:64:96"), 2, ["got 33 in 33:64:96", "nearest valid: 32, 48"]),
        (("--backend", "tensorrt-rtx", "--workspace", "much"), 2, ["workspace must be", "got 'much'"]),
        (("--backend", "tensorrt-rtx", "--module", "unet"), 2, ["no module 'unet'", "denoiser"]),
        (("--backend", "tensorrt-rtx", "--variant", "int3"), 4, ["no module of pocket has a variant 'int3'"]),
        (("--backend", "tensorrt-rtx", "--variant", "plugin"), 4, ["denoiser has no variant", "is for tensorrt"]),
        (("--backend", "tensorrt", "--variant", "plugin"), 4, ["libvidrt_trt_plugins.so", "--plugin"]),
        (("--backend", "tensorrt", "--plugin", "none.so"), 4, ["none.so is not there", "tensorrt_plugin.md"]),
    ],
)
def test_a_mistake_is_one_clear_error(run_vidrt, tmp_path, arguments, code, parts):
    check_refused(run_vidrt("build", *arguments), code, *parts)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_cache_is_listed_checked_and_pruned(run_vidrt, tmp_path):
    there = ("--cache", str(tmp_path / "engines"))
    assert "0 engines" in run_vidrt("engines", "list", *there).stdout
    assert "freed 0 B" in run_vidrt("engines", "prune", *there).stdout
    result = run_vidrt("engines", "check", "--backend", "tensorrt-rtx", *there)
    check_refused(result, 4, "no engine of pocket's denoiser for tensorrt-rtx", "none was built", "vidrt build")
    check_refused(run_vidrt("engines", "check", "--backend", "cpu", *there), 2, "got 'cpu'")
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_sidecar_is_listed_as_such(run_vidrt, tmp_path):
    cache = EngineCache(tmp_path / "engines")
    cache.folder.mkdir()
    (cache.folder / "denoiser.fp32.tensorrt.0123.json").write_text("{")
    there = ("--cache", str(cache.folder))
    assert "damaged sidecar" in run_vidrt("engines", "list", *there).stdout
    (entry,) = json.loads(run_vidrt("engines", "list", "--json", *there).stdout)["engines"]
    assert entry["state"].startswith("damaged sidecar")
    assert "sidecar is missing or damaged" in run_vidrt("engines", "prune", "--dry-run", *there).stdout
    assert cache.entries() != []
    assert run_vidrt("engines", "prune", *there).returncode == 0
    assert cache.entries() == []
