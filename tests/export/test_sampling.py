"""What a checkpoint was distilled for becomes its bundle's scheduler and defaults."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

import vidrt
from vidrt.export import cli
from vidrt.export.exporter import export_bundle
from vidrt.export.options import ExportOptions, check_scheduler
from vidrt.export.registry import Family
from vidrt.export.sampling import Sampling, parse_timesteps, with_sampling
from vidrt.export.spec import BundleSpec

FASTWAN = (1000.0, 757.0, 522.0)
UNIPC = {
    "_class_name": "UniPCMultistepScheduler",
    "prediction_type": "flow_prediction",
    "use_flow_sigmas": True,
    "flow_shift": 3.0,
    "num_train_timesteps": 2000,
}
LCM = {"_class_name": "FlowMatchLCMScheduler", "shift": 8.0, "upscale_mode": "bicubic"}
DDIM = {"_class_name": "DDIMScheduler", "clip_sample": False}


def scheduled(spec: BundleSpec, config: dict[str, Any] | None) -> BundleSpec:
    return dataclasses.replace(spec, scheduler=config)


def test_chosen_timesteps_are_levels_of_noise_and_as_many_steps(miniature: BundleSpec) -> None:
    spec = with_sampling(scheduled(miniature, UNIPC), Sampling("lcm", (*FASTWAN, 17.5), guidance_scale=1.0))
    assert spec.scheduler == {
        "_class_name": "FlowMatchLCMScheduler",
        "num_train_timesteps": 2000,
        "shift": 1.0,
        "timesteps": [1000, 757, 522, 17.5],
    }
    assert (spec.defaults.num_inference_steps, spec.defaults.guidance_scale) == (4, 1.0)
    check_scheduler(spec)


def test_a_scheduler_alone_keeps_the_checkpoints_shift(miniature: BundleSpec) -> None:
    spec = with_sampling(scheduled(miniature, UNIPC), Sampling("euler"))
    expected = {"_class_name": "FlowMatchEulerDiscreteScheduler", "num_train_timesteps": 2000, "shift": 3.0}
    assert spec.scheduler == expected
    assert spec.defaults == miniature.defaults


@pytest.mark.parametrize("named", [None, "lcm"])
def test_the_checkpoints_own_scheduler_keeps_its_settings(miniature: BundleSpec, named: str | None) -> None:
    own = scheduled(miniature, LCM)
    check_scheduler(own)
    assert with_sampling(own, Sampling(named)).scheduler == LCM
    given = with_sampling(own, Sampling(named, FASTWAN))
    assert given.scheduler == {**LCM, "shift": 1.0, "timesteps": [1000, 757, 522]}


def test_nothing_given_changes_nothing(miniature: BundleSpec) -> None:
    decoder = scheduled(miniature, None)
    assert with_sampling(decoder, Sampling()) is decoder


@pytest.mark.parametrize(
    ("config", "sampling", "message"),
    [
        (None, Sampling("lcm"), "is a decoder alone, which takes no steps"),
        (UNIPC, Sampling("lcm", FASTWAN, 4), r"--default-steps 4 with 3 --timesteps; leave it out, or give 3"),
        (UNIPC, Sampling(timesteps=FASTWAN), r"without --scheduler, expected --scheduler euler or lcm: .*UniPC"),
        (DDIM, Sampling("lcm"), "are for models of flow matching; .*DDIMScheduler"),
        (DDIM, Sampling(timesteps=FASTWAN), "are for models of flow matching"),
    ],
)
def test_what_does_not_fit_is_refused(
    miniature: BundleSpec, config: dict[str, Any] | None, sampling: Sampling, message: str
) -> None:
    with pytest.raises(vidrt.InvalidArgument, match=message):
        with_sampling(scheduled(miniature, config), sampling)


@pytest.mark.parametrize("words", ["", "1000,", "1000;757", "nan", "1000,inf"])
def test_timesteps_that_are_no_numbers_are_refused(words: str) -> None:
    with pytest.raises(vidrt.InvalidArgument, match=r"expected numbers with commas between, as 1000,757,522"):
        parse_timesteps(words)


@pytest.mark.parametrize("timesteps", [(757.0, 1000.0), (1001.0, 500.0), (1000.0, 0.0), (500.0, 500.0)])
def test_timesteps_that_do_not_fall_or_are_out_of_range_are_refused_before_anything_is_made(
    miniature: BundleSpec, timesteps: tuple[float, ...], tmp_path: Path
) -> None:
    spec = with_sampling(scheduled(miniature, LCM), Sampling(timesteps=timesteps))
    with pytest.raises(vidrt.InvalidArgument, match=r"the scheduler of miniature: .*'timesteps'.* falling numbers"):
        export_bundle(spec, tmp_path / "bundle", ExportOptions(), lambda what, done, total: pytest.fail("began"))


def test_the_command_tells_the_bundle(miniature: BundleSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = scheduled(miniature, UNIPC)
    monkeypatch.setattr(cli, "find_family", lambda name: Family("miniature", "", lambda source: spec))
    target = tmp_path / "bundle"
    words = ["--scheduler", "lcm", "--timesteps", "1000,757,522", "--default-guidance-scale", "1"]
    assert cli.main(["miniature", str(target), "--seed", "0", *words]) == 0
    manifest = json.loads((target / "manifest.json").read_text())
    assert manifest["scheduler"]["timesteps"] == [1000, 757, 522]
    pipeline = vidrt.TextToVideoPipeline(target)
    video = pipeline("a", seed=0)
    assert (video.metadata.scheduler, video.metadata.num_inference_steps) == ("lcm", 3)
    assert pipeline("a", seed=0, scheduler="euler").metadata.scheduler == "euler"
    with pytest.raises(vidrt.InvalidArgument, match=r"num_inference_steps is 4, .* \(1000, 757, 522\); expected 3"):
        pipeline("a", num_inference_steps=4)
    with pytest.raises(vidrt.InvalidArgument, match=r"'unipc' spreads its timesteps .* expected euler or lcm"):
        pipeline("a", scheduler="unipc")
