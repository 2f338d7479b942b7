"""The commands that only tell: inspect, plan, encode's errors, export without torch, completion."""

import dataclasses
import json
import re

import numpy as np
import pytest

import vidrt
from vidrt.engine.cli.plan import _print as print_plan
from vidrt.engine.errors import BackendError
from vidrt.engine.options import GenerateOptions
from vidrt.engine.plan import PlannedModule

PROMPT = "a small red circle moving left"


def test_inspect_shows_modules_shapes_sizes_parity_and_operators(run_vidrt, pocket_bundle):
    result = run_vidrt("inspect", str(pocket_bundle))
    assert result.returncode == 0, result.stderr
    bundle = vidrt.Bundle(pocket_bundle)
    for name, module in bundle.modules.items():
        assert name in result.stdout
        for spec in module.variants[0].inputs:
            assert f"({', '.join(spec.shape)})" in result.stdout
    for part in (
        "parity",
        "operators",
        "opset",
        "KiB",
        "in steps of",
        "quality measured",
        "tokenizer: wordlevel",
        "backends",
        "vidrt::DepthwiseSeparableConv3d",
        "Conv ",
    ):
        assert part in result.stdout


def test_inspect_says_when_every_hash_was_checked(run_vidrt, pocket_bundle):
    assert "every hash checked" in run_vidrt("inspect", "--verify", str(pocket_bundle)).stdout
    assert "every hash checked" not in run_vidrt("inspect", str(pocket_bundle)).stdout


def test_inspect_as_json_is_the_manifest(run_vidrt, pocket_bundle):
    shown = json.loads(run_vidrt("inspect", "--json").stdout)
    assert shown["manifest"] == json.loads((pocket_bundle / "manifest.json").read_text())
    assert shown["weights_verified"] is False
    variant = shown["manifest"]["modules"]["denoiser"]["variants"][0]["id"]
    assert shown["operators"]["denoiser"][variant]["Conv"] > 0


def test_plan_says_what_a_generation_needs(run_vidrt):
    result = run_vidrt("plan", "--num-frames", "33")
    assert result.returncode == 0, result.stderr
    for part in ("33 frames of", "latents 9x", "memory ", "weights ", "without sharing", "latents"):
        assert part in result.stdout
    plan = json.loads(run_vidrt("plan", "--num-frames", "33", "--json").stdout)
    stages = [stage["weight_bytes"] + stage["arena_bytes"] for stage in plan["stage_memory"]]
    assert plan["total_bytes"] == max(stages)
    assert plan["weight_bytes"] < plan["total_bytes"] <= plan["weight_bytes"] + plan["arena_bytes"]


def test_plan_names_the_modules_in_the_order_in_which_they_run(run_vidrt):
    plan = json.loads(run_vidrt("plan", "--json").stdout)
    names = [module["name"] for module in plan["modules"]]
    assert names == ["text_encoder", "denoiser", "vae_decoder_first", "vae_decoder_next"]
    assert all(module["weight_bytes"] > 0 and module["streamed_bytes"] == 0 for module in plan["modules"])
    assert "streamed" not in run_vidrt("plan").stdout


def test_plan_shows_what_is_streamed_where_anything_is(pocket_bundle, capsys):
    plan = vidrt.TextToVideoPipeline(pocket_bundle).plan(GenerateOptions())
    modules = (PlannedModule("text_encoder", 5000, 0), PlannedModule("denoiser", 70000, 60000))
    print_plan(dataclasses.replace(plan, residency="stream", modules=modules))
    shown = capsys.readouterr().out
    assert "modules loaded: stream" in shown
    assert re.search(r"module +weights on the device +streamed in every run", shown)
    assert re.search(r"text_encoder +5,000 +0\b", shown)
    assert re.search(r"denoiser +10,000 +60,000\b", shown)


@pytest.mark.parametrize(("options", "expected"), [((), True), (("--no-cuda-graphs",), False)])
@pytest.mark.parametrize("command", ["generate", "decode"])
def test_cuda_graphs_can_be_left_out(run_vidrt, monkeypatch, tmp_path, command, options, expected):
    asked = []

    def refuse(*args, **kwargs):
        asked.append(kwargs["cuda_graphs"])
        raise BackendError("seen enough.")

    monkeypatch.setattr("vidrt.engine.cli.arguments.TextToVideoPipeline", refuse)
    np.save(tmp_path / "latents.npy", np.zeros((4, 1, 4, 4), np.float32))
    argument = PROMPT if command == "generate" else str(tmp_path / "latents.npy")
    assert run_vidrt(command, argument, "-o", "video.y4m", *options).returncode == 4
    assert asked == [expected]


def test_plan_refuses_what_generate_would(run_vidrt):
    result = run_vidrt("plan", "--memory-budget", "1KiB")
    assert (result.returncode, result.stdout) == (5, "")


def test_encode_refuses_an_overlong_prompt_and_writes_nothing(run_vidrt, tmp_path):
    result = run_vidrt("encode", "red " * 100, "-o", "prompt.safetensors")
    assert result.returncode == 2
    assert "101" in result.stderr
    assert list(tmp_path.iterdir()) == []
    assert run_vidrt("encode", "red " * 100, "-o", "prompt.safetensors", "--truncate").returncode == 0


def test_export_without_torch_names_the_extra(run_python):
    code = """
import sys
sys.modules["torch"] = None
sys.argv = ["vidrt", "export", "--help"]
from vidrt.engine.cli import main
main()
"""
    result = run_python(code)
    assert result.returncode == 4, result.stdout + result.stderr
    assert "vidrt[export]" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_can_complete(run_vidrt_process, shell):
    result = run_vidrt_process(_VIDRT_COMPLETE=f"source_{shell}", SHELL=f"/bin/{shell}")
    assert result.returncode == 0
    assert "vidrt" in result.stdout
