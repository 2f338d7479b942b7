"""The step cache over the shipped model: what is skipped is said, and frames stay near those of every step."""

import json

import numpy as np
import pytest

import vidrt

PROMPT = "a small red circle moving left"


@pytest.fixture
def settings(tiny, unwarned):
    return {**tiny, "num_inference_steps": 10, **unwarned}


def test_skipped_steps_are_said_and_frames_stay_near(pipe, settings):
    full = pipe(PROMPT, **settings)
    assert (full.metadata.step_cache, full.metadata.skipped_steps) == (0.0, [])
    np.testing.assert_array_equal(pipe(PROMPT, **settings, step_cache=0).frames, full.frames)
    cached = pipe(PROMPT, **settings, step_cache=0.1)
    skipped = cached.metadata.skipped_steps
    assert cached.metadata.step_cache == 0.1
    assert 2 <= len(skipped) <= 7
    assert not {0, 1, 9} & set(skipped)
    error = np.mean((cached.frames.astype(float) - full.frames) ** 2)
    assert 10 * np.log10(255**2 / error) > 30
    np.testing.assert_array_equal(pipe(PROMPT, **settings, step_cache=0.1).frames, cached.frames)


def test_the_plan_holds_what_the_cache_needs(pipe):
    names = {tensor.name for tensor in pipe.plan(vidrt.GenerateOptions(step_cache=0.1)).tensors}
    assert {"last_sample", "last_prediction"} <= names
    assert not {"last_sample", "last_prediction"} & {tensor.name for tensor in pipe.plan().tensors}


@pytest.mark.parametrize(
    ("threshold", "says"), [(-0.1, "0 \\(off\\)"), (float("nan"), "finite"), ("0.1", "number"), (True, "number")]
)
def test_a_threshold_that_is_none_is_refused(pipe, threshold, says):
    with pytest.raises(vidrt.InvalidArgument, match=f"step_cache.*{says}"):
        pipe(PROMPT, step_cache=threshold)


def test_the_command_says_how_many_steps_were_computed(run_vidrt):
    size = ["--height", "32", "--width", "32", "--num-frames", "5", "--steps", "10", "--seed", "7"]
    result = run_vidrt("generate", PROMPT, *size, "--step-cache", "1000", "--output", "clip.gif")
    assert result.returncode == 0, result.stderr
    assert "step cache: 3 of 10 steps computed" in result.stdout
    result = run_vidrt("generate", PROMPT, *size, "--step-cache", "1000", "--output", "clip.gif", "--json")
    assert json.loads(result.stdout)["metadata"]["skipped_steps"] == [2, 3, 4, 5, 6, 7, 8]
    result = run_vidrt("generate", PROMPT, *size, "--step-cache", "-1", "--output", "bad.gif")
    assert result.returncode == 2
    assert "step_cache must be 0 (off)" in result.stderr
