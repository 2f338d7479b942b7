"""The backend tensorrt from options to cache, with a stand-in for TensorRT: building really needs a GPU."""

import enum
import json
import shutil
import types
from pathlib import Path

import pytest

from vidrt import _core
from vidrt.engine.builder import BuildOptions, EngineCache, build_engines
from vidrt.engine.builder.build_log import Layer
from vidrt.engine.builder.flavour import Flavour, load_plugins
from vidrt.engine.builder.sidecar import Sidecar
from vidrt.engine.bundle import Bundle
from vidrt.engine.errors import BackendError


class Tensorrt:
    """As much of TensorRT's Python interface as a build uses. `seen` is what it was asked for."""

    __version__ = "10.15.1"

    class ILogger:
        Severity = enum.Enum("Severity", "INFO WARNING ERROR")

    class IProgressMonitor:
        pass

    BuilderFlag = enum.Enum("BuilderFlag", "WEIGHT_STREAMING VERSION_COMPATIBLE")
    LayerInformationFormat = enum.Enum("LayerInformationFormat", "JSON")
    HardwareCompatibilityLevel = enum.Enum("HardwareCompatibilityLevel", "AMPERE_PLUS")
    MemoryPoolType = enum.Enum("MemoryPoolType", "WORKSPACE")
    NetworkDefinitionCreationFlag = enum.IntEnum("NetworkDefinitionCreationFlag", {"STRONGLY_TYPED": 1})
    ProfilingVerbosity = enum.Enum("ProfilingVerbosity", "DETAILED")

    def __init__(self):
        self.seen = {"graphs": [], "timing": [], "libraries": [], "flags": [], "engines": []}
        self.loads = True
        self.says = ["Total Weights Memory: 7 bytes"]
        self.refuses = None  # bytes of the GPU's memory
        self.inspected = {"Layers": [{"Name": "conv", "LayerType": "gemm", "TacticName": "sm87"}, "add"]}

    def get_plugin_registry(self):
        def load_library(path):
            self.seen["libraries"].append(path)
            return None if "broken" in path else object()

        return types.SimpleNamespace(load_library=load_library)

    def OnnxParser(self, network, logger):  # noqa: N802
        return types.SimpleNamespace(parse_from_file=lambda path: self.seen["graphs"].append(path) or True)

    def Runtime(self, logger):  # noqa: N802
        return types.SimpleNamespace(deserialize_cuda_engine=lambda plan: Engine(self) if self.loads else None)

    def Builder(self, logger):  # noqa: N802
        def build(network, config):
            self.seen["timing"].append(config.timing.content)
            config.timing.content += b"measured;"
            for text in self.says:
                logger.log(self.ILogger.Severity.INFO, text)
            config.progress_monitor.phase_start("Building", None, 1)
            assert config.progress_monitor.step_complete("Building", 0)
            config.progress_monitor.phase_finish("Building")
            if self.refuses is None:
                return b"a plan"
            text = f"Requested amount of GPU memory ({self.refuses} bytes) could not be allocated. There may not be"
            logger.log(self.ILogger.Severity.WARNING, text)
            logger.log(self.ILogger.Severity.ERROR, "Could not find any implementation for node conv.")
            return None

        return types.SimpleNamespace(
            create_network=lambda flags: types.SimpleNamespace(num_inputs=0, flags=flags),
            create_builder_config=lambda: Config(self.seen),
            create_optimization_profile=object,
            build_serialized_network=build,
        )


class Engine:
    """Says how much staging its budget takes, as TensorRT does, and counts it among the activations."""

    streamable_weights_size = 5

    def __init__(self, api):
        self.weight_streaming_budget_v2 = self.streamable_weights_size
        self.inspected = api.inspected
        api.seen["engines"].append(self)

    @property
    def weight_streaming_scratch_memory_size(self):
        return self.streamable_weights_size - self.weight_streaming_budget_v2 + 1

    @property
    def device_memory_size_v2(self):
        return 100 + self.weight_streaming_scratch_memory_size

    def create_engine_inspector(self):
        return types.SimpleNamespace(get_engine_information=lambda form: json.dumps(self.inspected))


class Config:
    def __init__(self, seen):
        self.timing = types.SimpleNamespace(content=b"")
        self.set_flag = lambda flag: seen["flags"].append(flag.name)

    def add_optimization_profile(self, profile):
        return 0

    def create_timing_cache(self, content):
        if content == b"damaged":
            return None
        cache = types.SimpleNamespace(content=content)
        cache.serialize = lambda: cache.content
        return cache

    def set_timing_cache(self, cache, ignore_mismatch):
        if cache.content == b"of another GPU":
            return False
        self.timing = cache
        return True


@pytest.fixture
def api(monkeypatch):
    made = Tensorrt()
    monkeypatch.setattr("vidrt.engine.builder.builder.local_compute_capability", lambda: "8.7")
    monkeypatch.setattr(
        "vidrt.engine.builder.builder.load_flavour", lambda backend: Flavour(backend, made.__version__, made)
    )
    return made


@pytest.fixture
def library(tmp_path):
    path = tmp_path / "libvidrt_trt_plugins.so"
    path.write_bytes(b"plugins")
    return path


def build(bundle, cache, *, force=False, **options):
    return build_engines(Bundle(bundle), BuildOptions("tensorrt", **options), cache=cache, force=force)


def test_engines_are_for_the_gpu_that_is_here(api, pocket_bundle, tmp_path):
    built = build(pocket_bundle, EngineCache(tmp_path))
    assert len(built) == len(Bundle(pocket_bundle).modules)
    for one in built:
        target, outcome = one.engine.sidecar.target, one.engine.sidecar.outcome
        assert (target.backend, target.version, target.compute_capabilities) == ("tensorrt", "10.15.1", ("8.7",))
        assert outcome.weight_bytes == 7
        assert outcome.activation_bytes is None  # it did not say
        assert one.engine.plan.read_bytes() == b"a plan"
    for options in ({}, {"timing_cache": False}):  # the way of building makes no other engine
        assert all(one.reused for one in build(pocket_bundle, EngineCache(tmp_path), **options))


@pytest.fixture
def outcome(monkeypatch, pocket_bundle, tmp_path):
    """Build the denoiser with a GPU of this compute capability, or without one, and reread what came of it."""

    def made(gpu, **options):
        monkeypatch.setattr("vidrt.engine.builder.compile.local_compute_capability", lambda: gpu)
        (built,) = build(pocket_bundle, EngineCache(tmp_path), modules=("denoiser",), force=True, **options)
        return Sidecar.from_json(built.engine.path.read_text()).outcome

    return made


def test_a_gpu_that_is_here_says_what_of_an_engine_can_be_streamed(api, outcome):
    api.says = [
        "Total Activation Memory: 9 bytes",
        "Name: conv, LayerType: gemm, Inputs: [], TacticName: a, StreamId: 0",
    ]

    def figures(gpu, **options):
        made = outcome(gpu, **options)
        assert made.activation_bytes == 9
        return made.streamable_weight_bytes, made.weight_staging_bytes

    assert figures("8.7", weight_streaming=True) == (5, 6)
    assert len(api.seen["engines"]) == 1
    assert figures("8.7") == (None, None)
    assert figures(None, weight_streaming=True) == (None, None)
    assert len(api.seen["engines"]) == 1  # the others were not loaded
    api.loads = False
    assert figures("8.7", weight_streaming=True) == (None, None)


def test_a_gpu_that_is_here_says_what_the_log_does_not(api, outcome):
    assert outcome(None).activation_bytes is None
    made = outcome("8.7")
    assert made.activation_bytes == 101
    assert made.weight_bytes == 7
    assert made.layers == (Layer("conv", "gemm", "sm87"), Layer("add", "", ""))
    assert outcome("8.7", weight_streaming=True).activation_bytes == 101  # as if nothing was streamed
    api.inspected = ["no table"]
    assert outcome("8.7").layers == ()
    api.says = ["Total Activation Memory: 9 bytes"]
    assert outcome("8.7").activation_bytes == 9


def test_a_gpu_with_too_little_memory_says_how_much_was_asked_for(api, pocket_bundle, tmp_path):
    api.refuses = 15485030400
    with pytest.raises(BackendError, match=r"no 14.4 GiB more \(15485030400 bytes\).*--height.*--workspace"):
        build(pocket_bundle, EngineCache(tmp_path), modules=("denoiser",))
    api.refuses = None
    (built,) = build(pocket_bundle, EngineCache(tmp_path), modules=("denoiser",))
    assert not built.reused


@pytest.mark.parametrize("kept", [b"damaged", b"of another GPU"])
def test_a_timing_cache_that_tensorrt_refuses_is_made_anew(api, pocket_bundle, tmp_path, kept):
    build(pocket_bundle, EngineCache(tmp_path), modules=("denoiser",))
    (file,) = (tmp_path / "timing").iterdir()
    file.write_bytes(kept)
    build(pocket_bundle, EngineCache(tmp_path), modules=("text_encoder",))
    assert api.seen["timing"] == [b"", b""]
    assert file.read_bytes() == b"measured;"


def test_what_was_measured_is_kept_for_the_next_build(api, pocket_bundle, tmp_path):
    modules = ("denoiser", "text_encoder")
    build(pocket_bundle, EngineCache(tmp_path), modules=modules)
    build(pocket_bundle, EngineCache(tmp_path), modules=("vae_encoder",))
    assert api.seen["timing"] == [b"", b"measured;", b"measured;measured;"]
    build(pocket_bundle, EngineCache(tmp_path), modules=("vae_decoder_first",), timing_cache=False)
    assert api.seen["timing"][3:] == [b""]


def test_variants_with_plugins_are_taken_where_their_library_is_named(api, pocket_bundle, tmp_path, library):
    cache = EngineCache(tmp_path / "engines")
    stock = build(pocket_bundle, cache)
    assert {one.engine.sidecar.source.variant for one in stock} == {"fp16"}
    assert api.seen["libraries"] == []
    built = {one.module: one for one in build(pocket_bundle, cache, plugins=(library,))}
    assert built["denoiser"].engine.sidecar.source.variant == "fp16-plugin"
    assert list(built["denoiser"].engine.sidecar.target.plugins) == [library.name]
    assert built["text_encoder"].reused  # it has no such operators
    assert api.seen["libraries"] == [str(library)]  # TensorRT refuses to load one twice
    library.write_bytes(b"other plugins")
    again = {one.module: one for one in build(pocket_bundle, cache, plugins=(library,))}
    assert (again["denoiser"].reused, again["text_encoder"].reused) == (False, True)


def test_a_plugin_library_that_does_not_load_is_an_error(api):
    with pytest.raises(BackendError, match=r"broken.so does not load into TensorRT 10.15.1"):
        load_plugins(Flavour("tensorrt", "10.15.1", api), "broken.so")


def test_a_plugin_library_that_a_pipeline_has_loaded_is_used(api, tmp_path):
    """A process has one registry, which refuses what it has."""
    api.get_plugin_registry = lambda: types.SimpleNamespace(load_library=lambda path: None)
    flavour = Flavour("tensorrt", "10.15.1", api)
    in_process = Path(_core.__file__)
    load_plugins(flavour, in_process)
    with pytest.raises(BackendError, match="does not load"):
        load_plugins(flavour, Path(shutil.copy(in_process, tmp_path / "libother.so")))


def test_more_gpus_than_this_one_where_asked_for(api, pocket_bundle, tmp_path):
    options = {"modules": ("text_encoder",), "hardware_compatibility": "ampere_plus", "version_compatible": True}
    (one,) = build(pocket_bundle, EngineCache(tmp_path), **options)
    assert one.engine.sidecar.target.compute_capabilities == ("8.0+",)
    assert api.seen["flags"] == ["VERSION_COMPATIBLE"]
