"""What activations take: one measurement, the fit of several, and how the plan shows it."""

import json
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import vidrt
from vidrt.engine.activations import measure as measuring
from vidrt.engine.activations.fit import fit_peaks

MODULES = ("text_encoder", "denoiser", "vae_decoder_first", "vae_decoder_next")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("VIDRT_CACHE_DIR", str(tmp_path / "cache"))


def write_models(pipe, coefficients):
    for name in MODULES:
        path = Path(pipe.activations_file(name))
        path.parent.mkdir(parents=True, exist_ok=True)
        model = {"format": "vidrt.activations.v1", "packed_bytes": 0, "coefficients": coefficients}
        path.write_text(json.dumps(model))


def test_a_fit_finds_the_terms_that_made_the_numbers():
    sizes = np.array([4.0, 8.0, 20.0, 40.0, 80.0])
    terms = np.stack([np.ones(5), sizes, sizes**2], axis=1)
    np.testing.assert_allclose(fit_peaks(terms, terms @ [7e6, 0, 300], 0), [7e6, 0, 300], rtol=1e-6, atol=1e-3)


def test_nothing_shrinks_as_a_clip_grows_and_nothing_gives_nothing():
    sizes = np.array([1.0, 2.0, 3.0])
    terms = np.stack([np.ones(3), sizes], axis=1)
    assert (fit_peaks(terms, np.array([30.0, 20.0, 10.0]), 0)[1:] >= 0).all()
    assert not fit_peaks(terms, np.zeros(3), 0).any()


def test_what_loading_left_free_is_used_first():
    sizes = np.array([1.0, 2.0, 10.0, 20.0, 40.0])
    terms = np.stack([np.ones(5), sizes, sizes**2], axis=1)
    measured = np.maximum(0, 5e6 * sizes - 30e6)
    np.testing.assert_allclose(fit_peaks(terms, measured, 1e6), [-30e6, 5e6, 0], rtol=1e-6, atol=1e-3)


def test_sizes_that_are_measured_are_sizes_of_the_bundle(pipe):
    manifest = pipe.bundle.manifest
    sizes = measuring.measured_sizes(manifest)
    assert len(sizes) == len(set(sizes)) >= 5
    for height, width, frames in sizes:
        pipe.plan(vidrt.GenerateOptions(height=height, width=width, num_frames=frames))


def test_models_of_large_clips_are_measured_at_small_ones(pipe):
    pocket = pipe.bundle.manifest

    def limit(least, most, step):
        return SimpleNamespace(min=least, max=most, step=step)

    wan = SimpleNamespace(
        height=limit(16, 2048, 16),
        width=limit(16, 2048, 16),
        num_frames=limit(1, 513, 4),
        defaults=SimpleNamespace(height=480, width=832, num_frames=81),
        vae=SimpleNamespace(spatial_ratio=8, temporal_ratio=4),
    )
    assert measuring.measured_sizes(pocket)[1] == (pocket.defaults.height, pocket.defaults.width, 17)
    assert measuring.measured_sizes(wan) == [
        (16, 16, 13),
        (96, 160, 13),
        (96, 160, 25),
        (96, 320, 13),
        (192, 320, 13),
        (96, 160, 49),
    ]
    wan.height = limit(256, 2048, 16)
    assert {height for height, _, _ in measuring.measured_sizes(wan)} == {256, 512}


def test_measuring_writes_what_later_pipelines_plan_with(pocket_bundle, cache, monkeypatch):
    monkeypatch.setattr(measuring, "measured_sizes", lambda _manifest: [(32, 32, 9)])
    pipe = vidrt.TextToVideoPipeline(pocket_bundle, threads=1)
    before = pipe.plan()
    assert not before.activations_known
    progress = []
    request = {"backend": "auto", "threads": 1, "variant": None}
    measuring.measure_activations(pipe, request, lambda done, total: progress.append((done, total)))
    assert progress == [(done, 4) for done in range(5)]
    plan = vidrt.TextToVideoPipeline(pocket_bundle, threads=1).plan()
    assert plan.activations_known
    assert plan.total_bytes > before.total_bytes
    by_name = {module.name: module for module in plan.modules}
    assert all(by_name[name].packed_bytes < 2**30 for name in MODULES)
    assert 0 < by_name["vae_decoder_next"].activation_bytes < 2**30


def test_the_command_says_what_is_measured_and_what_is_not(run_vidrt, pipe, cache):
    assert "activations: not measured" in run_vidrt("plan", "--threads", "1").stdout
    write_models(pipe, [2**20, 0, 0, 0, 0])
    shown = run_vidrt("plan", "--threads", "1").stdout
    assert re.search(r"stage +weights +repacked weights +activations +tensors +together", shown)
    assert re.search(r"denoise +\S+ MiB +0 B +1.0 MiB", shown)
    plan = json.loads(run_vidrt("plan", "--threads", "1", "--json").stdout)
    assert (plan["activations_known"], plan["activation_bytes"]) == (True, 2**20)
    assert [stage["activation_bytes"] for stage in plan["stage_memory"]] == [2**20, 0, 2**20, 2**20, 2**20]


def test_a_measurement_that_fails_says_which_and_why(pipe):
    with pytest.raises(vidrt.BackendError, match=r"measuring decode of 9 frames of 32x32 failed: .*nowhere"):
        measuring._probe({
            "bundle": "/nowhere", "backend": "auto", "threads": 1, "variant": None, "embeds": "",
            "stage": "decode", "height": 32, "width": 32, "num_frames": 9,
        })  # fmt: skip


def test_a_budget_of_half_is_refused_with_sizes_that_fit(pocket_bundle, pipe, cache):
    write_models(pipe, [0, 100_000, 0, 0, 0])
    asked = {"height": 96, "width": 128, "num_frames": 257}
    need = vidrt.TextToVideoPipeline(pocket_bundle, threads=1).plan(vidrt.GenerateOptions(**asked))
    # Guidance in two runs would already halve the activations.
    tight = vidrt.TextToVideoPipeline(pocket_bundle, threads=1, memory_budget=need.total_bytes // 3)
    with pytest.raises(vidrt.OutOfMemory) as refused:
        tight.plan(vidrt.GenerateOptions(**asked))
    frames = int(re.search(r"num_frames to (\d+)", str(refused.value))[1])
    height, width = map(int, re.search(r"height to (\d+) and width to (\d+)", str(refused.value)).groups())
    tight.plan(vidrt.GenerateOptions(**{**asked, "num_frames": frames}))
    tight.plan(vidrt.GenerateOptions(**{**asked, "height": height, "width": width}))
    for larger in ({"num_frames": frames + 4}, {"height": height + 16, "width": width + 16}):
        with pytest.raises(vidrt.OutOfMemory):
            tight.plan(vidrt.GenerateOptions(**{**asked, **larger}))
