"""Engines of the shipped bundle, built by TensorRT for RTX, which needs no GPU for it."""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vidrt.engine.builder import BuildEvent, BuildOptions, BuiltEngine, EngineCache, Range, build_engines
from vidrt.engine.builder.build_log import BuildLog
from vidrt.engine.builder.compile import compile_plan
from vidrt.engine.builder.find import find_engine
from vidrt.engine.builder.flavour import Flavour, load_flavour
from vidrt.engine.builder.network import Job
from vidrt.engine.builder.profile import TensorProfile
from vidrt.engine.builder.targets import local_compute_capability
from vidrt.engine.bundle import Bundle
from vidrt.engine.errors import BackendError, BundleError, Cancelled
from vidrt.engine.events import CancelToken
from vidrt.engine.precision import EVERY_MODULE

MIB = 2**20
BATCH = Range(1, 2, 2)
QUICK = {"backend": "tensorrt-rtx", "modules": ("text_encoder",)}


@pytest.fixture(scope="module")
def flavour() -> Flavour:
    try:
        return load_flavour("tensorrt-rtx")
    except BackendError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def bundle(flavour: Flavour, pocket_bundle: Path) -> Bundle:
    return Bundle(pocket_bundle)


@pytest.fixture(scope="module")
def pocket_engines(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[BuiltEngine]]:
    """Every module of the bundle at all its sizes, by precision.

    Built before any test lets a build fail: what pytest keeps of the exception keeps TensorRT's logger alive, and the
    next build warns of that.
    """
    made = {}
    for precision in ("fp16", "fp32"):
        wish = {EVERY_MODULE: precision}
        options = BuildOptions("tensorrt-rtx", batch=BATCH, precisions=wish, optimization_level=0)
        made[precision] = build_engines(bundle, options, cache=EngineCache(tmp_path_factory.mktemp(precision)))
    return made


@pytest.fixture(scope="module", params=["fp16", "fp32"])
def pocket(pocket_engines: dict[str, list[BuiltEngine]], request: pytest.FixtureRequest) -> list[BuiltEngine]:
    """Those of one precision."""
    return pocket_engines[request.param]


@pytest.fixture
def cache(tmp_path: Path) -> EngineCache:
    return EngineCache(tmp_path / "engines")


def build(bundle: Bundle, cache: EngineCache, **options: Any) -> BuiltEngine:
    force = options.pop("force", False)
    (built,) = build_engines(bundle, BuildOptions(**{**QUICK, **options}), cache=cache, force=force)
    return built


def names(cache: EngineCache) -> list[str]:
    return sorted(path.name for path in cache.folder.iterdir()) if cache.folder.exists() else []


def test_every_module_of_pocket_builds_with_dynamic_sizes(bundle: Bundle, pocket: list[BuiltEngine]) -> None:
    assert [built.module for built in pocket] == list(bundle.modules)
    for built in pocket:
        module = bundle.modules[built.module]
        sidecar = built.engine.sidecar
        assert sidecar.source.variant == sidecar.source.precision == pocket[0].engine.sidecar.source.precision
        for spec in module.variants[-1].inputs:
            shapes = sidecar.target.profile[spec.name]
            for axis, symbol in enumerate(spec.shape):
                fixed = symbol.isdecimal() or symbol == "L"
                assert (shapes.min[axis] == shapes.max[axis]) is fixed, f"{built.module} {spec.name} {symbol}"


def test_the_sidecars_figures_are_plausible(pocket: list[BuiltEngine]) -> None:
    above = 0
    for built in pocket:
        source, outcome = built.engine.sidecar.source, built.engine.sidecar.outcome
        assert outcome.weight_bytes is not None
        if source.initializer_bytes > MIB // 2:
            above += 1
            assert 0.8 <= outcome.weight_bytes / source.initializer_bytes <= 1.3, built.module
            assert outcome.bytes > outcome.weight_bytes
        assert outcome.activation_bytes
        assert outcome.scratch_bytes
        assert outcome.build_seconds > 0
        assert outcome.warnings == ()
        assert len(outcome.layers) > 10
        assert any(layer.type == "gemm" or "Fc" in layer.name or "conv" in layer.name for layer in outcome.layers)
        assert "Total Activation Memory" in built.engine.log.read_text()
    assert above >= 4


def test_engines_are_for_the_version_that_the_core_asks_for(bundle: Bundle, pocket: list[BuiltEngine]) -> None:
    """The core asks the library for its version, and the bindings wrote what is in the sidecar."""
    library = ctypes.CDLL("libtensorrt_rtx.so.1")  # which the bindings have loaded
    numbers = [getattr(library, f"getInferLib{part}Version")() for part in ("Major", "Minor", "Patch", "Build")]
    assert min(numbers) >= 0
    cache = EngineCache(pocket[0].engine.path.parent)
    asked: dict[str, Any] = {
        "compute_capability": "8.9",
        "sizes": {"height": 64, "width": 64, "num_frames": 17, "batch": 2},
    }
    for length in (4, 3):  # early libraries do not say their build
        version = ".".join(map(str, numbers[:length]))
        for built in pocket:
            module = bundle.modules[built.module]
            assert find_engine(cache, bundle, module, "tensorrt-rtx", version=version, **asked) == built.engine


def test_larger_sizes_take_more_activation_memory(bundle: Bundle, cache: EngineCache) -> None:
    figures = []
    for side in (64, 96, 128):
        sizes = {"height": Range(32, 32, side), "width": Range(32, 32, side), "precisions": {EVERY_MODULE: "fp32"}}
        built = build(bundle, cache, modules=("vae_decoder_next",), **sizes)
        figures.append(built.engine.sidecar.outcome.activation_bytes or 0)
    # TensorRT for RTX adds 8 MiB to what grows with the area.
    assert 0 < figures[0] < figures[1] / 1.5 < figures[2] / 1.5**2


def test_a_second_build_does_nothing(bundle: Bundle, cache: EngineCache) -> None:
    first = build(bundle, cache)
    events: list[BuildEvent] = []
    (second,) = build_engines(bundle, BuildOptions(**QUICK), cache=cache, on_event=events.append)  # type: ignore[arg-type]
    assert (first.reused, second.reused) == (False, True)
    assert second.engine == first.engine
    assert [(event.done, event.reused) for event in events] == [(1.0, True)]
    assert not build(bundle, cache, force=True).reused
    assert len(cache.entries()) == 1


@pytest.mark.parametrize("damage", ["cut", "changed", "sidecar"])
def test_a_damaged_engine_is_built_again(bundle: Bundle, cache: EngineCache, damage: str) -> None:
    engine = build(bundle, cache).engine
    content = engine.plan.read_bytes()
    if damage == "sidecar":
        engine.path.write_text("{")
    else:
        engine.plan.write_bytes(content[:-1] if damage == "cut" else bytes([content[0] ^ 1]) + content[1:])
    again = build(bundle, cache)
    assert not again.reused
    again.engine.check()
    assert len(names(cache)) == 3


def test_other_options_make_another_engine(bundle: Bundle, cache: EngineCache) -> None:
    built = [
        build(bundle, cache),
        build(bundle, cache, compute_capabilities=("8.9",)),
        build(bundle, cache, weight_streaming=True),
        build(bundle, cache, batch=Range(1, 1, 4)),
    ]
    assert not any(one.reused for one in built)
    assert len({one.engine.path for one in built}) == 4
    assert built[1].engine.sidecar.target.compute_capabilities == ("8.9",)


def test_progress_goes_forward_to_the_end(bundle: Bundle, cache: EngineCache) -> None:
    events: list[BuildEvent] = []
    options = BuildOptions("tensorrt-rtx", modules=("vae_decoder_next",))
    build_engines(bundle, options, cache=cache, on_event=events.append)
    shares = [event.done for event in events]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)
    assert any(0 < share < 1 for share in shares)
    assert any(event.phase for event in events)


def test_a_cancel_leaves_nothing(bundle: Bundle, cache: EngineCache) -> None:
    token = CancelToken()

    def on_event(event: BuildEvent) -> None:
        if event.phase:
            token.cancel()

    options = BuildOptions("tensorrt-rtx", modules=("denoiser",))
    with pytest.raises(Cancelled, match="denoiser"):
        build_engines(bundle, options, cache=cache, on_event=on_event, cancel=token)
    assert names(cache) == []


def test_an_exception_of_the_caller_ends_the_build_and_leaves_nothing(bundle: Bundle, cache: EngineCache) -> None:
    def on_event(event: BuildEvent) -> None:
        if event.phase:
            raise KeyError("mine")

    options = BuildOptions("tensorrt-rtx", modules=("denoiser",))
    with pytest.raises(KeyError, match="mine"):
        build_engines(bundle, options, cache=cache, on_event=on_event)
    assert names(cache) == []
    assert not build(bundle, cache).reused  # TensorRT still works


@pytest.mark.parametrize("ends_by", [Cancelled, KeyError])
def test_tensorrt_stops_in_the_middle(
    flavour: Flavour, bundle: Bundle, pocket: list[BuiltEngine], ends_by: type[Exception]
) -> None:
    def watch(phase: str, done: float) -> bool:
        if phase and ends_by is KeyError:
            raise KeyError("mine")
        return bool(phase)

    profile = next(one.engine.sidecar.target.profile for one in pocket if one.module == "denoiser")
    job = Job("denoiser", bundle.resolve("denoiser.fp32.onnx"), profile)
    log = BuildLog()
    with pytest.raises(ends_by):
        compile_plan(flavour, job, BuildOptions("tensorrt-rtx"), log, watch)
    assert any("BuildCanceled" in error for error in log.errors)
    assert log.figure("weight_bytes") is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"workspace_bytes": 1024}, r"text_encoder \(variant fp16\): TensorRT for RTX .* workspace limit.*--workspace"),
        (
            {"modules": ("vae_decoder_first",), "compute_capabilities": ("7.5",), "precisions": {EVERY_MODULE: "fp32"}},
            "3D convolution is not supported.*Leave compute capability 7.5 out",
        ),
    ],
)
def test_a_build_that_fails_says_why_and_keeps_the_log(
    bundle: Bundle, cache: EngineCache, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(BackendError, match=message) as caught:
        build(bundle, cache, **options)
    (log,) = names(cache)
    assert log.endswith(".failed.log")
    assert log in str(caught.value)
    assert "ERROR: " in (cache.folder / log).read_text()


@pytest.mark.skipif(local_compute_capability() is not None, reason="this machine has a GPU")
def test_a_stripped_plan_needs_a_gpu_and_the_error_says_so(bundle: Bundle, cache: EngineCache) -> None:
    with pytest.raises(BackendError, match="needs an NVIDIA GPU"):
        build(bundle, cache, strip=True)


def test_a_failed_build_keeps_the_old_engine(bundle: Bundle, bundle_copy: Path, cache: EngineCache) -> None:
    engine = build(bundle, cache).engine
    (weights,) = (bundle_copy / "weights").iterdir()
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(BundleError):
        build(Bundle(bundle_copy), cache, force=True)
    assert build(bundle, cache).engine == engine


def test_an_operator_that_tensorrt_has_not_is_named_with_its_node_and_module(
    flavour: Flavour, bundle_copy: Path, cache: EngineCache
) -> None:
    onnx = pytest.importorskip("onnx", reason="the graph is changed with onnx, which the extra `export` brings")
    manifest = json.loads((bundle_copy / "manifest.json").read_text())
    variant = manifest["modules"]["text_encoder"]["variants"][0]
    path = bundle_copy / variant["file"]
    model = onnx.load(path, load_external_data=False)
    node = next(node for node in model.graph.node if node.op_type == "Softmax")
    node.op_type = "Det"
    path.write_bytes(model.SerializeToString())
    variant["bytes"] = path.stat().st_size
    variant["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    (bundle_copy / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(BackendError, match="text_encoder") as caught:
        build(Bundle(bundle_copy), cache)
    for part in (f"does not take the node {node.name!r} (ONNX Det)", "another backend"):
        assert part in str(caught.value)


def test_sizes_that_do_not_fit_together_are_an_error_though_tensorrt_goes_on(flavour: Flavour, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="the graph is made with onnx, which the extra `export` brings")
    helper, number = onnx.helper, onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [helper.make_node("Reshape", ["a", "flat"], ["f"]), helper.make_node("Add", ["f", "b"], ["y"])],
        "mismatch",
        [helper.make_tensor_value_info(name, number, shape) for name, shape in (("a", ["B", "n"]), ("b", ["m"]))],
        [helper.make_tensor_value_info("y", number, ["q"])],
        [helper.make_tensor("flat", onnx.TensorProto.INT64, [1], [-1])],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9), tmp_path / "g.onnx")
    profile = {"a": TensorProfile((1, 2), (1, 2), (3, 5)), "b": TensorProfile((2,), (2,), (14,))}
    job = Job("mismatch", tmp_path / "g.onnx", profile)
    with pytest.raises(BackendError, match=r"kMAX values are not self-consistent.*14 != 15.*choose other ranges"):
        compile_plan(flavour, job, BuildOptions("tensorrt-rtx"), BuildLog(), lambda phase, done: False)


def vidrt(cache: EngineCache, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "vidrt.engine.cli", "build", "--backend", "tensorrt-rtx", *arguments]
    return subprocess.Popen(
        [*command, "--cache", str(cache.folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def test_two_processes_that_want_the_same_engine_build_it_once(bundle: Bundle, cache: EngineCache) -> None:
    arguments = (str(bundle.path), "--module", "vae_decoder_next", "--json")
    processes = [vidrt(cache, *arguments) for _ in range(2)]
    results = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], results
    assert sorted(json.loads(out)["engines"][0]["built"] for out, _ in results) == [False, True]
    assert len(names(cache)) == 3


def test_a_full_disk_is_exit_code_6_and_keeps_the_old_engine(bundle: Bundle, cache: EngineCache) -> None:
    engine = build(bundle, cache).engine
    arguments = (str(bundle.path), "--module", "text_encoder", "--force")
    full = vidrt(cache, *arguments, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10**6, 10**6)))
    _, shown = full.communicate(timeout=120)
    assert full.returncode == 6, shown
    assert "File too large" in shown
    assert "Traceback" not in shown
    assert build(bundle, cache).engine == engine
    assert len(names(cache)) == 3


# A program that runs the command line and, once TensorRT has begun, sends itself what Ctrl-C sends.
INTERRUPTED = """
import os, signal, sys
from vidrt.engine.cli import build_progress as module
class Lines(module.BuildProgressLines):
    sent = False
    def on_event(self, event):
        super().on_event(event)
        if event.module == "text_encoder" and event.done < 1.0 and not self.sent:
            self.sent = True
            os.kill(os.getpid(), signal.SIGINT)
module.BuildProgressLines = Lines
from vidrt.engine.cli import main
sys.argv = ["vidrt", *sys.argv[1:]]
main()
"""


def test_ctrl_c_keeps_finished_engines_and_nothing_half_built(bundle: Bundle, cache: EngineCache) -> None:
    modules = [word for name in ("denoiser", "text_encoder") for word in ("--module", name)]
    command = ["build", str(bundle.path), "--backend", "tensorrt-rtx", *modules, "--cache", str(cache.folder)]
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, *command], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 128 + signal.SIGINT, done.stderr
    assert "cancelled; finished engines are kept (denoiser)" in done.stderr
    assert "Traceback" not in done.stderr
    (engine,) = cache.entries()
    assert engine.path.name.startswith("denoiser.")
    assert len(names(cache)) == 3


def test_the_command_tells_what_it_built_and_that_nothing_changed(
    bundle: Bundle, run_vidrt: Callable[..., subprocess.CompletedProcess[str]], cache: EngineCache
) -> None:
    common = ("--backend", "tensorrt-rtx", "--cache", str(cache.folder))
    arguments = ("build", str(bundle.path), "--module", "text_encoder", *common)
    first = run_vidrt(*arguments)
    assert first.returncode == 0, first.stderr
    assert "built 1 of 1 engines (tensorrt-rtx " in first.stdout
    assert "nothing to build: nothing has changed" in run_vidrt(*arguments).stdout
    shown = run_vidrt("engines", "list", "--cache", str(cache.folder)).stdout
    assert "pocket text_encoder (fp16): ok" in shown
    result = run_vidrt("engines", "check", str(bundle.path), *common)
    assert (result.returncode, result.stdout) == (4, "")  # the denoiser was not built
    assert "no engine of pocket's denoiser" in result.stderr
    assert run_vidrt("engines", "prune", "--cache", str(cache.folder)).stdout.startswith("freed 0 B")
    assert os.listdir(cache.folder)  # noqa: PTH208


def test_built_engines_pass_the_check_for_sizes_in_their_ranges_alone(
    bundle: Bundle, pocket: list[BuiltEngine], run_vidrt: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    folder = str(pocket[0].engine.path.parent)
    check = ("engines", "check", str(bundle.path), "--backend", "tensorrt-rtx", "--cache", folder)
    fits = run_vidrt(*check, "--compute-capability", "8.9", "--height", "128", "--batch", "2")
    assert fits.returncode == 0, fits.stderr
    assert all(str(built.engine.plan) in fits.stdout for built in pocket)
    for arguments, part in (
        (("--height", "256"), "height is 32 to 128, asked for 256"),
        (("--batch", "3"), "batch is 1 to 2, asked for 3"),
        (("--decode-chunk", "9"), "decode_chunk is 1 to 8, asked for 9"),
        (("--compute-capability", "8.7"), "the device has 8.7"),
    ):
        refused = run_vidrt(*check, *arguments)
        assert refused.returncode == 4
        assert part in refused.stderr
