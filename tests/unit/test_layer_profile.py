"""What layers take: from ONNX Runtime's profile through the core to Python and `vidrt bench layers`."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

import vidrt
from vidrt.engine.bench.layers import Layer, LayersResult, ModuleLayers, render_layers

ROOT = Path(__file__).resolve().parents[2]
PROMPT = "a small red circle moving left"
FLAGS = ("--height", "32", "--width", "32", "--num-frames", "9", "--steps", "2", "--threads", "1")
Run = Callable[..., CompletedProcess[str]]


def test_a_profile_has_the_layers_of_every_module_and_the_pipeline_goes_on(
    pocket_bundle: Path, tiny: dict[str, Any], unwarned: dict[str, Any], pipe: vidrt.TextToVideoPipeline
) -> None:
    profiled = vidrt.TextToVideoPipeline(pocket_bundle, threads=1, profile_layers=True)
    expected = pipe(PROMPT, **tiny, **unwarned).frames
    assert (profiled(PROMPT, **tiny, **unwarned).frames == expected).all()
    profile = profiled.take_layer_profile()
    assert [one.module for one in profile.modules] == [
        "denoiser", "text_encoder", "vae_decoder_first", "vae_decoder_next",
    ]  # fmt: skip
    assert {one.module: one.runs for one in profile.modules} == {
        "denoiser": 2, "text_encoder": 2, "vae_decoder_first": 1, "vae_decoder_next": 2,
    }  # fmt: skip
    for module in profile.modules:
        times = [layer.median_ms for layer in module.layers]
        assert times == sorted(times, reverse=True)
        assert sum(layer.share for layer in module.layers) == pytest.approx(1)
        # Medians of two runs are means, of which the layers are parts.
        assert sum(times) <= module.run_ms
        assert module.missed_runs == 0
    assert any("DepthwiseSeparableConv3d" in layer.type for layer in profile.modules[0].layers)
    assert profiled.take_layer_profile().modules == ()
    assert (profiled(PROMPT, **tiny, **unwarned).frames == expected).all()
    assert json.loads(json.dumps(profiled.take_layer_profile().to_dict()))["modules"][0]["runs"] == 2


def test_a_pipeline_that_was_not_asked_to_says_so(pipe: vidrt.TextToVideoPipeline) -> None:
    with pytest.raises(vidrt.InvalidArgument, match="open it with profile_layers"):
        pipe.take_layer_profile()


def test_a_backend_that_times_launches_alone_is_refused(pocket_bundle: Path) -> None:
    with pytest.raises(vidrt.InvalidArgument, match="does not go with the backend onnxruntime-cuda"):
        vidrt.TextToVideoPipeline(pocket_bundle, "onnxruntime-cuda", profile_layers=True)


def test_the_command_prints_sorted_tables_and_writes_all_layers(run_vidrt: Run, tmp_path: Path) -> None:
    done = run_vidrt("bench", "layers", *FLAGS, "--repetitions", "2", "--top", "3", "-o", "found.json")
    assert done.returncode == 0, done.stderr
    result = LayersResult.model_validate_json((tmp_path / "found.json").read_text())
    assert result.settings.num_inference_steps == 2
    assert result.repetitions == 2
    assert result.backend.startswith("onnxruntime ")
    denoiser = result.modules[0]
    assert (denoiser.module, denoiser.runs) == ("denoiser", 4)
    assert f"denoiser ({denoiser.variant}): 4 runs of {denoiser.run_ms:.2f} ms" in done.stdout
    slowest = denoiser.layers[0]
    assert f"{slowest.median_ms:10.3f} ms {100 * slowest.share:5.1f} %  {slowest.name} ({slowest.type})" in done.stdout
    assert f"{len(denoiser.layers) - 3} other layers" in done.stdout
    assert "wrote found.json" in done.stdout
    again = run_vidrt("bench", "layers", *FLAGS, "--repetitions", "1", "--json")
    assert json.loads(again.stdout) == json.loads((tmp_path / "layers.json").read_text())


@pytest.mark.parametrize(
    ("arguments", "code", "parts"),
    [
        (("--height", "33"), 2, ["height", "33"]),
        (("--threads", "0"), 2, ["threads"]),
        (("--backend", "onnxruntime-cuda"), 2, ["profile_layers does not go with the backend onnxruntime-cuda"]),
        (("--scheduler", "abacus"), 2, ["abacus"]),
        (("--variant", "int3"), 4, ["int3"]),
        (("--bundle", "nowhere"), 3, ["nowhere"]),
        (("-o", "nowhere/found.json"), 6, ["nowhere"]),
        (("--repetitions", "0"), 2, ["repetitions"]),
    ],
)
def test_what_cannot_be_profiled_is_one_clear_line_before_anything_runs(
    run_vidrt: Run, tmp_path: Path, arguments: tuple[str, ...], code: int, parts: list[str]
) -> None:
    done = run_vidrt("bench", "layers", *arguments)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    for part in parts:
        assert part in done.stderr
    assert list(tmp_path.glob("*.json")) == []


def test_ctrl_c_writes_nothing(run_vidrt: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generate = vidrt.TextToVideoPipeline.generate

    def interrupted(self: Any, *arguments: Any) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        return generate(self, *arguments)

    monkeypatch.setattr(vidrt.TextToVideoPipeline, "generate", interrupted)
    done = run_vidrt("bench", "layers", *FLAGS)
    assert done.returncode == 130, done.stderr
    assert list(tmp_path.glob("*.json")) == []


def test_layers_without_an_operator_and_missed_runs_are_told() -> None:
    layers = tuple(
        Layer(name=name, type="", median_ms=ms, share=ms / 10) for name, ms in (("a\nb", 7.0), ("c", 2.0), ("d", 1.0))
    )
    module = ModuleLayers(module="denoiser", variant="fp16", runs=3, missed_runs=2, run_ms=11.0, layers=layers)
    text = render_layers(LayersResult.model_construct(modules=(module,)), most=1)
    assert text.splitlines() == [
        "denoiser (fp16): 3 runs of 11.00 ms, 3 layers of 10.00 ms together",
        "  the backend kept no times of 2 more runs",
        "       7.000 ms  70.0 %  a b",
        "       3.000 ms  30.0 %  2 other layers",
    ]


def test_the_committed_schema_is_of_this_version() -> None:
    schema = json.loads((ROOT / "docs" / "layers.schema.json").read_text())
    assert schema == LayersResult.model_json_schema()
