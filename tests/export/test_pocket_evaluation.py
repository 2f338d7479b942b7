"""The evaluation counts what is there: objects, flicker, right and wrong attributes, and says how sure it is."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import numpy as np
import pytest
import torch

import vidrt
from vidrt.engine.bench.share import Share
from vidrt.export.pocket.captions import Attributes, all_attributes, held_out
from vidrt.export.pocket.checkpoint import bundle_networks
from vidrt.export.pocket.config import PocketConfig
from vidrt.export.pocket.dataset import draw_clips, load_frames
from vidrt.export.pocket.evaluation.autoencoder import Reconstruction, reconstruct
from vidrt.export.pocket.evaluation.evaluate import (
    HELD_OUT_EVERY,
    Judged,
    Setting,
    ask,
    evaluate,
    judge_generated,
    judge_real,
)
from vidrt.export.pocket.evaluation.measures import centres, count_objects, measure, object_mask
from vidrt.export.pocket.evaluation.memorisation import coarse, draw_coarse, nearest, nearness
from vidrt.export.pocket.evaluation.probe import VALUES, Probe, ProbeOptions, to_input, train_probe
from vidrt.export.pocket.evaluation.report import Evaluation, confusion, share, table, write_report
from vidrt.export.pocket.render import ClipSize, render

STILL = Attributes("circle", "red", "small", "still", "slow", "dark")
MOVING = Attributes("square", "blue", "large", "left", "fast", "light")


def clip_of(attributes: Attributes, seed: int = 0, size: ClipSize | None = None) -> np.ndarray:
    return render(attributes, size or ClipSize(), np.random.default_rng(seed))[0]


@pytest.fixture(scope="module")
def probe() -> Probe:
    """Trained far too little to be right often, but enough to have learned something."""
    return train_probe(ProbeOptions(steps=25))


def test_objects_are_counted_as_connected_spots_and_specks_are_not() -> None:
    mask = np.zeros((4, 64, 64), bool)
    mask[1:, 10:20, 10:20] = True
    mask[2, 40:46, 40:46] = True
    mask[3, 20:30, 20:30] = True  # touches by a corner
    mask[1, 60, 60] = True
    assert count_objects(mask).tolist() == [0, 1, 2, 1]


def test_a_snake_of_pixels_is_one_object() -> None:
    mask = np.zeros((1, 64, 64), bool)
    for row in range(0, 60, 4):
        mask[0, row, 2:62] = True
        mask[0, row : row + 5, 61 if row % 8 == 0 else 2] = True
    assert count_objects(mask).tolist() == [1]


@pytest.mark.parametrize("seed", range(4))
def test_real_clips_have_one_object_no_flicker_and_smooth_motion(seed: int) -> None:
    measures = measure(clip_of(MOVING, seed))
    assert measures.one_object
    assert measures.flicker == 0
    assert measures.jerk < 0.5
    assert measures.sharpness > 50


def test_flicker_blur_jumps_and_a_second_object_are_seen() -> None:
    rng = np.random.default_rng(0)
    real = clip_of(STILL)
    noisy = np.clip(real + rng.normal(0, 2, real.shape), 0, 255).astype(np.uint8)
    assert 1 < measure(noisy).flicker < 4
    blurred = to_input(real[None])[0]
    blurred = torch.nn.functional.avg_pool2d(blurred, 5, stride=1, padding=2)
    soft = ((blurred.permute(0, 2, 3, 1).numpy() + 1) * 127.5).astype(np.uint8)
    assert measure(soft).sharpness < 0.6 * measure(real).sharpness
    jumping = np.roll(real, 8, axis=2)
    jumping[::2] = real[::2]
    assert measure(jumping).jerk > 8
    double = np.maximum(clip_of(STILL, 1), clip_of(STILL, 5))
    assert not measure(double).one_object


def test_a_clip_without_an_object_is_not_one_object() -> None:
    empty = np.full((5, 32, 32, 3), 24, np.uint8)
    measures = measure(empty)
    assert not measures.one_object
    assert np.isnan(measures.jerk)


def test_centres_are_shares_of_the_height_at_any_size() -> None:
    small, large = (centres(object_mask(clip_of(MOVING, 2, ClipSize(9, side, side)))) for side in (64, 96))
    np.testing.assert_allclose(small, large, atol=0.01)


def test_a_probe_learns_and_takes_any_size_and_length(probe: Probe) -> None:
    twins = [train_probe(ProbeOptions(steps=2)).state_dict() for _ in range(2)]
    assert all(torch.equal(value, twins[1][name]) for name, value in twins[0].items())
    right = 0
    for seed, attributes in enumerate(all_attributes()[::37]):
        chances = probe.classify(clip_of(attributes, seed, ClipSize(33, 96, 96)))
        assert {name: len(values) for name, values in chances.items()} == {n: len(v) for n, v in VALUES.items()}
        assert all(values.sum() == pytest.approx(1) for values in chances.values())
        right += VALUES["background"][int(chances["background"].argmax())] == attributes.background
    assert right == len(all_attributes()[::37])


def judged(asked: Attributes, **seen: str) -> Judged:
    values = {name: getattr(asked, name) for name in VALUES} | seen
    return Judged("a prompt", 1, asked, values, 0.5, measure(clip_of(asked)))


def test_a_clip_is_right_when_all_attributes_are_and_speed_of_still_things_does_not_count() -> None:
    assert judged(MOVING).all_right
    assert not judged(MOVING, shape="circle").all_right
    assert not judged(MOVING, speed="slow").all_right
    assert judged(STILL, speed="fast").all_right
    two = dataclasses.replace(judged(MOVING), measures=dataclasses.replace(judged(MOVING).measures, one_object=False))
    assert not two.all_right


def test_shares_leave_out_the_speed_of_still_things() -> None:
    clips = [judged(MOVING), judged(MOVING, speed="slow"), judged(STILL, speed="fast"), judged(STILL, colour="blue")]
    assert share(clips, "speed") == Share(1, 2)
    assert share(clips, "colour") == Share(3, 4)
    assert "75.0 %" in table({"generated": clips})
    assert "| red | 1 | · | 1 |" in confusion(clips, "colour")


def test_prompts_name_everything_and_every_tenth_was_never_trained() -> None:
    asked = list(ask(50, seed=3))
    assert [one.key() in held_out() for _, _, one in asked] == [i % HELD_OUT_EVERY == 9 for i in range(50)]
    assert len({seed for seed, _, _ in asked}) == 50
    assert all("background" in prompt for _, prompt, _ in asked)
    assert asked == list(ask(50, seed=3))
    assert asked != list(ask(50, seed=4))


def test_an_evaluation_of_the_shipped_model_writes_its_report(
    probe: Probe, pocket_bundle: Path, tmp_path: Path
) -> None:
    pipe = vidrt.TextToVideoPipeline(pocket_bundle, threads=1)
    seen: list[np.ndarray] = []
    results = [evaluate(pipe, probe, setting, 5, seen.append) for setting in (Setting(9, 64, 10), Setting(9, 32, 1))]
    assert [clip.shape for clip in seen] == [(9, 64, 64, 3)] * 10 + [(9, 32, 32, 3)]
    assert [len(result.judged) for result in results] == [10, 1]
    assert len(judge_real(Setting(9, 32, 3), 3, 1, probe)) == 3
    reconstructions = {"64x64, 9 frames": Reconstruction(8, 33.25, 29.5)}
    near = nearness([coarse(clip) for clip in seen[:10]], results[0].setting.size, 5, 0)
    evaluation = Evaluation("pocket", "vidrt eval models/pocket", results, reconstructions, near)
    page = write_report(tmp_path / "report", evaluation).read_text(encoding="utf-8")
    assert "64x64, 9 frames: 33.2 dB, the worst of 8 clips 29.5 dB" in page
    assert "from the nearest of 5 training clips" in page
    assert "## 64x64, 9 frames" in page
    assert "combinations never trained (1)" in page
    clips = json.loads((tmp_path / "report" / "clips.json").read_text(encoding="utf-8"))
    assert len(clips) == 11
    assert clips[0]["prompt"].startswith(("a ", "the ", "small", "large", "little", "big", *VALUES["colour"]))
    assert {path.name for path in (tmp_path / "report").iterdir()} >= {"EVALUATION.md", "clips.json", "first.png"}


def test_a_copy_of_a_training_clip_is_found(tmp_path: Path) -> None:
    size = ClipSize(5, 32, 32)
    draw_clips(tmp_path, 6, 11, size)
    copies = [coarse(clip) for clip in load_frames(tmp_path)]
    np.testing.assert_array_equal(np.stack(copies), draw_coarse(6, 11, size, only_trained=True))
    near = nearness(copies[:3], size, 6, 11)
    assert near.generated == pytest.approx(0, abs=0.1)
    assert near.real > 5
    assert nearest(np.array([[0.0, 0.0]]), np.array([[3.0, 1.0], [9.0, 9.0]])) == pytest.approx([5**0.5])


def test_the_autoencoder_is_measured_in_decibels_of_8_bit_frames(pocket_bundle: Path) -> None:
    networks = bundle_networks(pocket_bundle, PocketConfig())
    measured = reconstruct(networks, ClipSize(5, 32, 32), 3, seed=1)
    assert measured.worst <= measured.mean
    assert measured.mean > 20
    assert measured == reconstruct(networks, ClipSize(5, 32, 32), 3, seed=1)
    with torch.no_grad():
        networks.vae_decoder.head.weight.mul_(0)
        networks.vae_decoder.head.bias.fill_(-10)  # black frames
    assert reconstruct(networks, ClipSize(5, 32, 32), 3, seed=1).mean < 20


def test_the_command_refuses_another_family(
    pocket_bundle: Path, tmp_path: Path, run_vidrt: Callable[..., CompletedProcess[str]]
) -> None:
    other = Path(shutil.copytree(pocket_bundle, tmp_path / "other"))
    manifest: dict[str, Any] = json.loads((other / "manifest.json").read_text())
    manifest["family"] = "wan"
    (other / "manifest.json").write_text(json.dumps(manifest))
    done = run_vidrt("eval", str(other), "--prompts", "1")
    assert done.returncode == 2
    assert "only pocket can be evaluated" in done.stderr


def test_the_options_of_a_case_are_used(probe: Probe, pocket_bundle: Path) -> None:
    pipe = vidrt.TextToVideoPipeline(pocket_bundle, threads=1)
    clips = []
    for steps, scheduler in ((2, None), (3, None), (3, "unipc")):
        options = dataclasses.replace(Setting(9, 32, 1).options, num_inference_steps=steps, scheduler=scheduler)
        clips.append(next(judge_generated(pipe, options, ask(1, 1), probe))[1])
    assert not np.array_equal(clips[0], clips[1])
    assert not np.array_equal(clips[1], clips[2])
