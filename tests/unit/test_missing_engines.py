"""Which engines a pipeline lacks and what is built for it; nothing here builds one (tests/tensorrt does)."""

import dataclasses
import platform
import sys

import pytest

import vidrt
from vidrt import _core
from vidrt.engine.builder import EngineCache, Sidecar
from vidrt.engine.builder.cache import engine_stem
from vidrt.engine.builder.flavour import Flavour, load_flavour
from vidrt.engine.builder.missing import EngineUse, build_missing, call_with_engines, missing_engines
from vidrt.engine.builder.options import BuildOptions, Range
from vidrt.engine.builder.sidecar import Outcome, Target
from vidrt.engine.builder.source import choose_variant, source_of
from vidrt.engine.bundle import Bundle
from vidrt.engine.options import pipeline_options

RTX = "tensorrt-rtx"


@pytest.fixture
def bundle(pocket_bundle):
    return Bundle(pocket_bundle)


@pytest.fixture
def here(monkeypatch):
    """Say which TensorRT is installed and which GPUs this machine has."""

    def say(version="1.7.1.116", capabilities=("8.9",)):
        def capability(device=0):
            return capabilities[device] if device < len(capabilities) else None

        monkeypatch.setattr("vidrt.engine.builder.missing.load_flavour", lambda name: Flavour(name, version, None))
        monkeypatch.setattr("vidrt.engine.builder.missing.local_compute_capability", capability)

    say()
    return say


@pytest.fixture
def built(monkeypatch):
    """What would be built: the options of every build."""
    asked = []
    monkeypatch.setattr(
        "vidrt.engine.builder.missing.build_engines", lambda bundle, options, **how: asked.append(options) or []
    )
    return asked


@pytest.fixture
def cache(bundle, tmp_path):
    """Engines of all modules that a pipeline runs, for the GPU and TensorRT of `here`."""
    cache = EngineCache(tmp_path / "engines")
    for name in _core.generation_modules(bundle.manifest):
        module = bundle.modules[name]
        source = source_of(bundle, module, choose_variant(module, BuildOptions(RTX)))
        target = Target(RTX, "1.7.1", ("8.9",), platform.machine(), {"height": "32:64:96"}, {}, {}, {})
        outcome = Outcome("", 0, "", 1, 2, 3, (), (), 0.5, "2026-01-02T03:04:05+00:00", "0.1.0")
        put(cache, Sidecar(source, target, outcome))
    return cache


def put(cache, sidecar):
    stem = engine_stem(sidecar.source, sidecar.target)
    with cache.lock(stem, None):
        return cache.store(stem, memoryview(b"a plan"), sidecar, "the log")


def change(cache, part, **fields):
    """Make the denoiser's engine one of something else."""
    (engine,) = (one for one in cache.entries() if one.sidecar.source.module == "denoiser")
    for path in (engine.path, engine.plan, engine.log):
        path.unlink()
    changed = dataclasses.replace(getattr(engine.sidecar, part), **fields)
    put(cache, dataclasses.replace(engine.sidecar, **{part: changed}))


def test_nothing_is_missing_where_all_match(here, bundle, cache, built):
    assert missing_engines(EngineUse(bundle, RTX), cache) == []
    assert build_missing(EngineUse(bundle, RTX), cache=cache) == []
    assert built == []


def test_everything_is_missing_in_an_empty_cache(here, bundle, tmp_path):
    names = _core.generation_modules(bundle.manifest)
    assert names == ["text_encoder", "denoiser", "vae_decoder_first", "vae_decoder_next"]
    assert missing_engines(EngineUse(bundle, RTX), EngineCache(tmp_path / "none")) == names


@pytest.mark.parametrize(
    ("part", "fields"),
    [
        ("target", {"version": "1.6.1"}),
        ("target", {"backend": "tensorrt"}),
        ("target", {"compute_capabilities": ("8.6", "12.0+")}),
        ("target", {"machine": "riscv64"}),
        ("target", {"options": {"strip": True}}),
        ("source", {"graph_sha256": "0" * 64}),
        ("source", {"data_files": {}}),
        ("source", {"bundle": "another"}),
    ],
)
def test_what_does_not_match_alone_is_built_again(here, bundle, cache, built, part, fields):
    change(cache, part, **fields)
    build_missing(EngineUse(bundle, RTX), cache=cache)
    (options,) = built
    assert options == BuildOptions(RTX, modules=("denoiser",))


def test_an_engine_of_another_precision_serves_unless_one_is_insisted_on(here, bundle, cache):
    fp32 = BuildOptions(RTX, variant="fp32")
    module = bundle.modules["denoiser"]
    change(cache, "source", **vars(source_of(bundle, module, choose_variant(module, fp32))))
    assert missing_engines(EngineUse(bundle, RTX), cache) == []
    assert missing_engines(EngineUse(bundle, RTX, variant="fp16"), cache) == ["denoiser"]


def test_a_gpu_that_portable_engines_do_not_run_on_is_built_for(here, bundle, cache, built):
    here(capabilities=("7.5",))
    build_missing(EngineUse(bundle, RTX), cache=cache)
    assert built[0].compute_capabilities == ("7.5",)
    assert len(built[0].modules) == 4


@pytest.mark.parametrize(("index", "there"), [(1, "8.7"), (2, "no such device")])
def test_tensorrt_does_not_build_for_a_gpu_that_differs_from_the_first(here, bundle, cache, built, index, there):
    here(capabilities=("8.9", "8.7"))
    with pytest.raises(vidrt.BackendError, match=rf"cuda:0 .*8.9.* cuda:{index} \({there}\).*CUDA_VISIBLE_DEVICES"):
        build_missing(EngineUse(bundle, "tensorrt", index), cache=cache)
    assert built == []


def missing(module, variant="fp16", **sizes):
    error = _core.MissingEngine("no engine fits")
    error.module, error.variant, error.sizes = module, variant, sizes
    return error


class Core:
    """A call that misses what it is told to, one after another."""

    def __init__(self, *errors):
        self.errors = list(errors)

    def __call__(self, *arguments):
        if self.errors:
            raise self.errors.pop(0)
        return "a plan"


def test_an_engine_for_a_size_is_built_for_all_sizes(here, bundle, built):
    call = Core(missing("denoiser", height=(96, 96), batch=(2, 2)), missing("vae_decoder_next", decode_chunk=(3, 12)))
    assert call_with_engines(EngineUse(bundle, RTX), call) == "a plan"
    assert built == [
        BuildOptions(RTX, modules=("denoiser",), variant="fp16"),
        BuildOptions(RTX, modules=("vae_decoder_next",), variant="fp16", decode_chunk=Range(1, 12, 12)),
    ]


def test_a_call_that_misses_nothing_builds_nothing(here, bundle, built):
    assert call_with_engines(EngineUse(bundle, RTX), Core()) == "a plan"
    assert built == []


def test_an_engine_that_does_not_help_is_built_once(here, bundle, built):
    again = missing("denoiser", height=(96, 96))
    with pytest.raises(_core.MissingEngine):
        call_with_engines(EngineUse(bundle, RTX), Core(again, again, again))
    assert len(built) == 1


@pytest.mark.parametrize("sizes", [{"height": (16, 16)}, {"height": (256, 256)}, {"batch": (3, 3)}])
def test_a_size_that_the_bundle_does_not_allow_is_not_built_for(here, bundle, built, sizes):
    with pytest.raises(vidrt.BackendError, match=r"no engine of denoiser can be built for .* the bundle allows"):
        call_with_engines(EngineUse(bundle, RTX), Core(missing("denoiser", **sizes)))
    assert built == []


def test_the_core_says_what_it_misses(here, bundle, cache):
    with pytest.raises(_core.MissingEngine, match=r"asked for 128.*`vidrt build .*--build-engines") as caught:
        _core.find_engine(cache.folder, bundle.core, "denoiser", RTX, "1.7.1", "8.9", {"height": 128})
    assert isinstance(caught.value, vidrt.BackendError)
    assert (caught.value.module, caught.value.sizes) == ("denoiser", {"height": (128, 128)})


@pytest.mark.parametrize(
    ("options", "use"),
    [
        (("tensorrt", None), ("tensorrt", 0, None)),
        ((RTX, "cuda:3", None, None, "fp16"), (RTX, 3, "fp16")),
    ],
)
def test_the_pipelines_options_say_what_engines_are_for(bundle, options, use):
    filled = (*options, None, None, None)[:5]
    assert EngineUse.of(bundle, pipeline_options(*filled)) == EngineUse(bundle, *use)


@pytest.mark.parametrize("backend", ["auto", "onnxruntime", "onnxruntime-cuda"])
def test_a_backend_without_engines_builds_none(pocket_bundle, run_vidrt, backend, tmp_path):
    with pytest.raises(
        vidrt.InvalidArgument, match=r"build_engines.*tensorrt and tensorrt-rtx.*runs the bundle's graphs"
    ):
        vidrt.TextToVideoPipeline(pocket_bundle, backend, build_engines=True)
    result = run_vidrt("generate", "a circle", "--backend", backend, "--build-engines")
    assert result.returncode == 2
    assert "--build-engines" in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("generate", "a circle"),
        ("encode", "a circle", "-o", "x.safetensors"),
        ("bench", "run"),
        ("bench", "layers"),
    ],
)
def test_tensorrt_that_is_not_installed_names_the_packages(run_vidrt, monkeypatch, tmp_path, arguments):
    for name in ("tensorrt_rtx", "tensorrt_rtx_bindings"):
        monkeypatch.setitem(sys.modules, name, None)
    load_flavour.cache_clear()
    result = run_vidrt(*arguments, "--backend", RTX, "--build-engines")
    load_flavour.cache_clear()
    assert result.returncode == 4
    assert "vidrt[tensorrt-rtx]" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_bench_without_a_case_that_runs_engines_builds_none(run_vidrt, tmp_path):
    result = run_vidrt("bench", "run", "--backend", "onnxruntime", "--build-engines")
    assert result.returncode == 2
    assert "no case has one of them" in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("a circle", "--height", "33"), "height must be"),
        (("a circle", "--scheduler", "none"), "scheduler"),
        (("a circle", "--guidance-scale", "-1"), "guidance_scale must be"),
        ((" ",), "prompt is empty"),
        (("a " * 200,), "token"),
    ],
)
def test_a_mistake_is_found_before_anything_is_built(run_vidrt, built, tmp_path, arguments, message):
    result = run_vidrt("generate", *arguments, "--backend", RTX, "--build-engines")
    assert result.returncode == 2, result.stderr
    assert message in result.stderr
    assert built == []


class Opened:
    """Stands in for the core: it misses an engine for a size, and has it once it was built."""

    def __init__(self, folder, options):
        self.plan = Core(missing("denoiser", height=(96, 96)))

    def generate(self, *arguments):
        raise vidrt.BackendError("generated" if self.plan.errors == [] else "generated without an engine")


@pytest.mark.parametrize("kind", [vidrt.TextToVideoPipeline, vidrt.ImageToVideoPipeline, vidrt.VideoToVideoPipeline])
def test_a_pipeline_builds_when_it_is_opened_and_when_a_size_is_asked_for(
    here, built, pocket_bundle, monkeypatch, kind
):
    monkeypatch.setattr(_core, "Pipeline", Opened)
    monkeypatch.setattr(kind, "_check_bundle", lambda self, bundle: None)
    monkeypatch.setattr(kind, "prepare", lambda self, options: options)
    pipe = kind(pocket_bundle, RTX, build_engines=True)
    assert [options.modules for options in built] == [tuple(_core.generation_modules(pipe.bundle.manifest))]
    with pytest.raises(vidrt.BackendError, match=r"generated$"):
        pipe("a circle", height=96)
    assert [options.modules for options in built[1:]] == [("denoiser",)]
    del built[:]
    with pytest.raises(vidrt.BackendError, match="generated without an engine"):
        kind(pocket_bundle, RTX)("a circle", height=96)
    assert built == []
