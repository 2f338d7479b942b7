"""The shipped model on an NVIDIA GPU through either flavour of TensorRT, beside ONNX Runtime on the processor.

Has never run on one.

`pytest tests/gpu/test_tensorrt.py -m gpu -s` also prints what each stage took, with CUDA graphs and without.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vidrt
from vidrt.engine.builder import BuildEvent, BuildOptions, Range, build_engines
from vidrt.engine.bundle import Bundle
from vidrt.engine.doctor import Status, diagnose
from vidrt.engine.doctor.rows import ROWS
from vidrt.engine.options import DecodeOptions
from vidrt.engine.precision import EVERY_MODULE

# TensorRT warns of what it likes, and the pipeline hands that on.
pytestmark = [pytest.mark.gpu, pytest.mark.filterwarnings("default::vidrt.VidrtWarning")]

_ROWS = ("python", "libraries", "onnx_parser", "library")
PROMPT = "a small red circle moving left"
SETTINGS: dict[str, Any] = {"height": 64, "width": 64, "num_frames": 17, "seed": 7}
NEEDED = {
    flavour: ("cuda_driver", "cuda_devices", "cuda_library", *(f"{rows}_{row}" for row in _ROWS))
    for flavour, rows in (("tensorrt", "tensorrt"), ("tensorrt-rtx", "tensorrt_rtx"))
}
# A pipeline remembers what it encoded: those that are timed differ.
PROMPTS = [
    f"a small {colour} circle moving {way}"
    for colour in ("red", "green", "blue", "yellow")
    for way in ("left", "right", "up", "down")
]


@dataclass(frozen=True)
class Tolerance:
    """What a module of one precision may differ by: text embeddings absolutely, frames in levels of 255 on average."""

    embeds: float
    mean_levels: float


TOLERANCES = {"fp32": Tolerance(1e-3, 0.2), "fp16": Tolerance(5e-2, 2.0)}


@dataclass(frozen=True)
class Graphs:
    """What engines are built from: the graphs of one precision, with vidrt's operators as plugins or without."""

    precision: str
    plugins: bool

    def __str__(self) -> str:
        return f"{self.precision}-{'plugins' if self.plugins else 'stock'}"

    @property
    def tolerance(self) -> Tolerance:
        """That of the precision."""
        return TOLERANCES[self.precision]

    @property
    def denoiser(self) -> str:
        """The denoiser's variant in the shipped bundle."""
        if not self.plugins:
            return self.precision
        return "plugin" if self.precision == "fp32" else f"{self.precision}-plugin"


@pytest.fixture(scope="module", params=list(NEEDED))
def backend(request: pytest.FixtureRequest) -> str:
    """A flavour that this machine has."""
    flavour: str = request.param
    for check in diagnose(rows=[row for row in ROWS if row.name in NEEDED[flavour]]).checks:
        if check.finding.status is not Status.OK:
            pytest.skip(f"{check.row.name}: {check.finding.value}")
    return flavour


def plugin_library(backend: str) -> Path:
    """The library of vidrt's operators."""
    if backend != "tensorrt":
        pytest.skip("TensorRT for RTX takes no plugins from graphs")
    (check,) = diagnose(rows=[row for row in ROWS if row.name == "tensorrt_plugins"]).checks
    if check.finding.status is not Status.OK:
        pytest.skip(f"{check.row.name}: {check.finding.value}")
    return Path(check.finding.details["path"])


@pytest.fixture(
    scope="module",
    params=[Graphs(precision, plugins) for plugins in (False, True) for precision in TOLERANCES],
    ids=str,
)
def graphs(
    request: pytest.FixtureRequest, backend: str, pocket_bundle: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Graphs]:
    """Engines of such graphs, in a cache of their own, which the core reads meanwhile."""
    made: Graphs = request.param
    options = BuildOptions(
        backend=backend,
        height=Range(32, 64, 64),
        width=Range(32, 64, 64),
        num_frames=Range(1, 17, 33),
        precisions={EVERY_MODULE: made.precision},
        plugins=(plugin_library(backend),) if made.plugins else (),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VIDRT_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        build_engines(Bundle(pocket_bundle), options)
        yield made


@pytest.fixture(scope="module")
def pipes(
    backend: str, graphs: Graphs, pocket_bundle: Path
) -> tuple[vidrt.TextToVideoPipeline, vidrt.TextToVideoPipeline]:
    """TensorRT on the first GPU, and the processor."""
    return (
        vidrt.TextToVideoPipeline(pocket_bundle, backend=backend),
        vidrt.TextToVideoPipeline(pocket_bundle, backend="onnxruntime"),
    )


def levels_apart(video: vidrt.Video, other: vidrt.Video) -> float:
    """The mean difference of two videos, in levels of 255."""
    return float(np.abs(video.frames.astype(int) - other.frames.astype(int)).mean())


def test_text_embeddings_are_those_of_the_processor(graphs: Graphs, pipes: Any) -> None:
    got, expected = (pipe.encode_prompt(PROMPT).text_embeds for pipe in pipes)
    assert np.abs(got - expected).max() <= graphs.tolerance.embeds


def test_one_step_of_the_denoiser_is_that_of_the_processor(graphs: Graphs, pipes: Any) -> None:
    got, expected = (pipe(PROMPT, num_inference_steps=1, **SETTINGS) for pipe in pipes)
    assert levels_apart(got, expected) <= graphs.tolerance.mean_levels


@pytest.mark.parametrize("chunk", [1, 2])
def test_decoded_frames_are_those_of_the_processor(graphs: Graphs, pipes: Any, chunk: int) -> None:
    channels = pipes[0].bundle.manifest.vae.latent_channels
    latents = np.random.default_rng(3).standard_normal((channels, 5, 8, 8)).astype(np.float32)
    got, expected = (pipe.decode_latents(DecodeOptions(latents, decode_chunk=chunk)) for pipe in pipes)
    assert levels_apart(got, expected) <= graphs.tolerance.mean_levels


def test_whole_generations_agree_and_repeat_bit_for_bit(graphs: Graphs, pipes: Any) -> None:
    first, second = (pipes[0](PROMPT, num_inference_steps=8, **SETTINGS) for _ in range(2))
    assert np.array_equal(first.frames, second.frames)
    assert first.metadata.variants["denoiser"] == graphs.denoiser
    expected = pipes[1](PROMPT, num_inference_steps=8, **SETTINGS)
    # Errors of a step are carried through the later ones.
    assert levels_apart(first, expected) <= 4 * graphs.tolerance.mean_levels


def test_cuda_graphs_change_no_bit(backend: str, graphs: Graphs, pipes: Any, pocket_bundle: Path) -> None:
    plain = vidrt.TextToVideoPipeline(pocket_bundle, backend=backend, cuda_graphs=False)
    settings = {"num_inference_steps": 8, **SETTINGS}
    assert np.array_equal(pipes[0](PROMPT, **settings).frames, plain(PROMPT, **settings).frames)
    for name, pipe in (("with CUDA graphs", pipes[0]), ("without", plain)):
        times = [pipe(prompt, **settings).timings for prompt in PROMPTS]
        stages = ("encode", "denoise", "decode", "total")
        medians = [statistics.median(getattr(time, stage) for time in times) for stage in stages]
        # Runs are queued: time in a session is the host's, for asking.
        host = statistics.median(time.session / time.total for time in times)
        shares = ", ".join(f"{stage} {ms:.2f} ms" for stage, ms in zip(stages, medians, strict=True))
        print(f"\n{graphs} {pipe.backend}, {name}: {shares}; the host asks for work in {host:.0%} of it")


def test_layers_are_timed_and_change_no_bit(backend: str, graphs: Graphs, pipes: Any, pocket_bundle: Path) -> None:
    profiled = vidrt.TextToVideoPipeline(pocket_bundle, backend=backend, profile_layers=True)
    settings = {"num_inference_steps": 8, **SETTINGS}
    assert np.array_equal(pipes[0](PROMPT, **settings).frames, profiled(PROMPT, **settings).frames)
    denoiser = profiled.take_layer_profile().modules[0]
    assert (denoiser.module, denoiser.runs) == ("denoiser", 8)
    assert len(denoiser.layers) > 10
    assert 0 < sum(layer.median_ms for layer in denoiser.layers) <= 1.1 * denoiser.run_ms


def test_a_size_that_no_engine_takes_is_refused_with_what_differs(graphs: Graphs, pipes: Any) -> None:
    with pytest.raises(vidrt.BackendError, match="height is 32 to 64, asked for 96"):
        pipes[0](PROMPT, **{**SETTINGS, "height": 96})


def test_engines_that_are_missing_are_built_and_run(
    backend: str, pocket_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIDRT_CACHE_DIR", str(tmp_path))
    narrow = Range(64, 64, 64)
    build_engines(Bundle(pocket_bundle), BuildOptions(backend, modules=("denoiser",), height=narrow))
    built: list[str] = []

    def on_build(event: BuildEvent) -> None:
        if event.done == 1.0:
            built.append(event.module)

    pipe = vidrt.TextToVideoPipeline(pocket_bundle, backend, build_engines=True, on_build=on_build)
    assert sorted(built) == ["text_encoder", "vae_decoder_first", "vae_decoder_next"]
    assert pipe(PROMPT, **SETTINGS).frames.shape == (17, 64, 64, 3)
    assert len(built) == 3
    assert pipe(PROMPT, **{**SETTINGS, "height": 96}).frames.shape == (17, 96, 64, 3)
    assert built[3:] == ["denoiser"]
