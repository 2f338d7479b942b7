"""What callers may set, and how a mistake is told."""

import dataclasses
import math
import typing

import numpy as np
import pytest

import vidrt
from vidrt.engine.options import GenerateSettings, parse_bytes


@pytest.mark.parametrize(
    ("text", "size"),
    [(0, 0), (4096, 4096), ("4096", 4096), ("6GiB", 6 * 2**30), ("1.5 GB", 1_500_000_000), ("512mib", 512 * 2**20)],
)
def test_a_memory_budget_is_a_number_of_bytes_or_a_size_with_a_unit(text, size):
    assert parse_bytes(text) == size


@pytest.mark.parametrize("text", ["", "six", "6 GiBs", "-1", -1, 2**63, "9000000TiB", 1.5, True, None])
def test_any_other_memory_budget_is_refused(text):
    with pytest.raises(vidrt.InvalidArgument, match="memory_budget"):
        parse_bytes(text)


def test_the_settings_of_a_call_are_the_attributes_of_generate_options():
    names = {field.name for field in dataclasses.fields(vidrt.GenerateOptions)} - {"prompt"}
    assert set(typing.get_type_hints(GenerateSettings)) == names


def test_an_unknown_option_is_refused_with_the_nearest_name(pipe):
    with pytest.raises(vidrt.InvalidArgument, match="unknown option 'num_frame'; did you mean 'num_frames'"):
        pipe("a red circle", num_frame=17)
    with pytest.raises(vidrt.InvalidArgument, match=r"unknown option 'xyz'; expected one of .*height"):
        pipe("a red circle", xyz=1)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"height": 64.0}, "height must be an integer, got 64.0"),
        ({"height": "64"}, "height must be an integer, got '64'"),
        ({"width": True}, "width must be an integer"),
        ({"num_frames": 2**40}, "num_frames must be"),
        ({"seed": -1}, "seed must be 0 to 18446744073709551615, got -1"),
        ({"seed": 2**64}, "seed must be 0 to"),
        ({"guidance_scale": math.nan}, "guidance_scale must be finite, got nan"),
        ({"guidance_scale": math.inf}, "guidance_scale must be finite, got inf"),
        ({"guidance_scale": "3"}, "guidance_scale must be a number"),
        ({"fps": math.nan}, "fps must be finite"),
        ({"fps": 0.0}, "fps"),
        ({"num_inference_steps": 0}, "num_inference_steps"),
        ({"num_inference_steps": -3}, "num_inference_steps"),
        ({"negative_prompt": 3}, "negative_prompt must be a string"),
        ({"scheduler": "ddim"}, "ddim"),
        ({"decode_chunk": 0}, "decode_chunk must be 1 to"),
        ({"output_type": "pil"}, "output_type must be uint8 or float32, got 'pil'"),
        ({"output_type": np.float32}, "output_type must be a string"),
        ({"latents": np.zeros((8, 3, 4, 4))}, "latents must be float32, got float64"),
        ({"latents": np.zeros((8, 9, 4, 4), np.float32)}, r"latents.*\(8, 9, 4, 4\)"),
        ({"prompt_embeds": "red"}, "prompt_embeds must be what encode_prompt"),
    ],
)
def test_a_value_that_cannot_be_used_is_named(pipe, tiny, setting, message):
    with pytest.raises(vidrt.InvalidArgument, match=message):
        pipe("a red circle", **{**tiny, **setting}, on_warning=lambda message: None)


@pytest.mark.parametrize(
    ("setting", "nearest"),
    [
        ({"height": 40}, "32, 48"),
        ({"width": 16}, "32"),
        ({"width": 4096}, "nearest valid: "),
        ({"num_frames": 80}, "77, 81"),
        ({"num_frames": 0}, "1"),
    ],
)
def test_a_size_the_model_cannot_do_names_the_nearest_it_can(pipe, setting, nearest):
    name = next(iter(setting))
    with pytest.raises(vidrt.InvalidArgument, match=f"{name} must be .*nearest valid: .*{nearest}|{nearest}"):
        pipe("a red circle", **setting)


def test_numpy_integers_are_integers(pipe):
    assert pipe.plan(vidrt.GenerateOptions(height=np.int64(64))).height == 64


@pytest.mark.parametrize("prompt", ["", "   ", "\n\t"])
def test_an_empty_prompt_is_refused(pipe, prompt):
    with pytest.raises(vidrt.InvalidArgument, match="prompt is empty"):
        pipe(prompt)


def test_a_prompt_that_is_no_text_is_refused(pipe):
    with pytest.raises(vidrt.InvalidArgument, match="prompt must be a string"):
        pipe(["a red circle", 3])
    with pytest.raises(vidrt.InvalidArgument, match="a list of strings, got int"):
        pipe(3)
    with pytest.raises(vidrt.InvalidArgument, match="UTF-8"):
        pipe("a red \ud800 circle")


def test_an_overlong_prompt_names_both_lengths_and_truncate_opts_in(pipe, tiny, unwarned):
    limit = pipe.bundle.manifest.tokenizer.max_length
    prompt = "red " * (limit + 5)
    with pytest.raises(vidrt.InvalidArgument, match=rf"{limit + 6}.*{limit}"):
        pipe(prompt, **tiny)
    warnings = []
    video = pipe(prompt, **tiny, truncate=True, on_warning=warnings.append)
    assert video.frames.shape == (9, 32, 32, 3)
    assert any(str(limit) in warning for warning in warnings)


def test_words_the_model_does_not_know_are_a_warning_that_names_them(pipe, tiny):
    warnings = []
    video = pipe("a red quokka juggling", **tiny, on_warning=warnings.append)
    unknown = [warning for warning in warnings if "does not know" in warning]
    assert len(unknown) == 1
    assert "'quokka'" in unknown[0]
    assert "'juggling'" in unknown[0]
    assert "'red'" not in unknown[0]
    assert unknown[0] in video.metadata.warnings


@pytest.mark.parametrize(
    ("prompt", "kinds"),
    [
        ("a red blue circle moving left", {"colour": "'red', 'blue'"}),
        ("a red circle and a blue square standing still", {"colour": "'red', 'blue'", "shape": "'circle', 'square'"}),
        ("a red circle moving left right", {"motion": "'left', 'right'"}),
        ("a red circle moving left, not moving", {"motion": "'left', 'not moving'"}),
        ("a small LARGE red circle circling", {"size": "'small', 'large'"}),
        ("a red ball moving up on a dark light background", {"background": "'dark', 'light'"}),
        ("a red disc moving up slowly and fast", {"speed": "'slowly', 'fast'"}),
        ("a red box standing still fast", {"speed": "'still', 'fast'"}),
        ("a violet purple square box not moving on a black background", {}),
    ],
)
def test_a_prompt_that_contradicts_itself_is_a_warning_that_names_both(pipe, prompt, kinds):
    warnings = []
    video = pipe(prompt, num_inference_steps=1, on_warning=warnings.append)  # at the default size: no other warning
    contradictions = [warning for warning in warnings if "more than one" in warning]
    assert len(contradictions) == len(kinds)
    for kind, values in kinds.items():
        assert any(f"more than one {kind}: {values}; the model shows one" in warning for warning in contradictions)
    assert video.metadata.warnings == warnings


def test_a_negative_prompt_may_name_several(pipe):
    warnings = []
    pipe("a red circle", negative_prompt="blue green", num_inference_steps=1, on_warning=warnings.append)
    assert warnings == []


@pytest.mark.parametrize("prompt", ["一个红色的圆", "ein grüner Kreis", "?!", "🔴"])
def test_a_prompt_in_words_the_model_does_not_know_says_so(pipe, prompt):
    warnings = []
    pipe(prompt, num_inference_steps=1, on_warning=warnings.append)
    assert warnings[-1] == "the model knows no word of the prompt; what the video shows is left to chance."


def test_what_does_not_fit_is_named(pipe, tiny):
    prompt = "a red circle " + "moving left " * 100
    expected = "23 of its 203 words. It would not see 'moving left moving.*shorten it, or set truncate"
    with pytest.raises(vidrt.InvalidArgument, match=expected):
        pipe(prompt, **tiny)
    with pytest.raises(vidrt.InvalidArgument, match=expected):
        pipe(["a red circle", prompt], **tiny)
    warnings = []
    pipe(prompt, **tiny, truncate=True, on_warning=warnings.append)
    assert any("23 of its 203 words. It does not see 'moving left" in warning for warning in warnings)


def test_without_a_callback_warnings_point_at_the_callers_line(pipe):
    with pytest.warns(vidrt.VidrtWarning, match="quokka") as caught:
        pipe("a red quokka", num_inference_steps=1)  # at the default size, which warns of nothing else
    assert {warning.filename for warning in caught} == {__file__}
