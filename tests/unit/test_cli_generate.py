"""`vidrt generate`, run as a shell runs it."""

import json

import numpy as np
import pytest

import vidrt

PROMPT = "a small red circle moving left"
TINY = ("--height", "32", "--width", "32", "--num-frames", "9", "--steps", "2")


def read_mp4(path):
    import av

    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="rgb24", src_colorspace="ITU709") for frame in container.decode(video=0)]
        return np.array(frames), dict(container.metadata)


def test_a_prompt_becomes_a_video_that_says_how_it_was_made(run_vidrt_process, tmp_path, pipe, unwarned):
    result = run_vidrt_process("generate", PROMPT, "-o", "circle.mp4", "--seed", "7", *TINY)
    assert result.returncode == 0, result.stderr
    assert "circle.mp4: 9 frames of 32x32 at 8 fps, seed 7" in result.stdout
    for stage in ("load", "encode", "denoise", "decode", "first frame after"):
        assert stage in result.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["circle.mp4"]
    frames, tags = read_mp4(tmp_path / "circle.mp4")
    assert tags["title"] == PROMPT
    made = json.loads(tags["comment"])
    assert (made["prompt"], made["seed"], made["num_inference_steps"]) == (PROMPT, 7, 2)
    expected = pipe(PROMPT, height=32, width=32, num_frames=9, num_inference_steps=2, seed=7, **unwarned).frames
    assert np.abs(frames.astype(int) - expected).mean() < 8


def test_without_output_and_seed_the_name_tells_both(run_vidrt, tmp_path):
    result = run_vidrt("generate", PROMPT, *TINY, "--json")
    summary = json.loads(result.stdout)
    assert summary["output"] == f"a-small-red-circle-moving-left-{summary['seed']}.mp4"
    assert (tmp_path / summary["output"]).is_file()


def test_json_is_one_object_and_progress_is_silent(run_vidrt):
    result = run_vidrt("generate", PROMPT, "-o", "c.gif", "--seed", "1", "--fps", "12", *TINY, "--json")
    summary = json.loads(result.stdout)
    assert (summary["num_frames"], summary["height"], summary["width"], summary["fps"]) == (9, 32, 32, 12)
    assert set(summary["timings_ms"]) >= {"load", "encode", "denoise", "decode", "total", "first_frame"}
    assert summary["plan"]["total_bytes"] > 0
    assert summary["metadata"]["variants"]
    assert all(line.startswith("warning: ") for line in result.stderr.splitlines())


@pytest.mark.parametrize("variant", ["fp32", "vidrt"])
def test_a_variant_can_be_asked_for_and_counts_where_a_module_has_it(run_vidrt, variant):
    result = run_vidrt("generate", PROMPT, "-o", "c.gif", *TINY, "--variant", variant, "--json")
    assert result.returncode == 0, result.stderr
    decoder = dict.fromkeys(("vae_decoder_first", "vae_decoder_next"), variant)
    assert json.loads(result.stdout)["metadata"]["variants"] == {
        "text_encoder": "fp32",
        "denoiser": variant,
        **decoder,
    }


@pytest.mark.parametrize("name", ["c.webm", "c.gif", "c.y4m", "c.npy", "c"])
def test_every_format_can_be_asked_for(run_vidrt, tmp_path, name):
    assert run_vidrt("generate", PROMPT, "-o", name, *TINY, "-q").returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("output_type", ["uint8", "float32"])
def test_npy_has_the_frames_of_the_pipeline(run_vidrt, tmp_path, pipe, unwarned, output_type):
    arguments = ("-o", "c.npy", "--seed", "7", "--output-type", output_type, "--threads", "1")
    result = run_vidrt("generate", PROMPT, *arguments, *TINY, "-q")
    assert result.returncode == 0, result.stderr
    settings = {"height": 32, "width": 32, "num_frames": 9, "num_inference_steps": 2, "seed": 7}
    expected = pipe(PROMPT, **settings, output_type=output_type, **unwarned).frames
    read = np.load(tmp_path / "c.npy")
    assert read.dtype == output_type
    np.testing.assert_array_equal(read, expected)


def test_float_frames_without_a_name_are_an_npy_file(run_vidrt, tmp_path):
    result = run_vidrt("generate", PROMPT, *TINY, "--seed", "3", "--output-type", "float32", "--json")
    assert json.loads(result.stdout)["output"] == "a-small-red-circle-moving-left-3.npy"
    assert np.load(tmp_path / "a-small-red-circle-moving-left-3.npy").shape == (9, 32, 32, 3)


def test_every_option_reaches_the_generation(run_vidrt):
    result = run_vidrt(
        "generate", PROMPT, "-o", "c.y4m", *TINY, "--json", "--seed", "3", "--negative-prompt", "blue",
        "--guidance-scale", "2.5", "--scheduler", "dpmpp_2m", "--decode-chunk", "1", "--threads", "1",
        "--memory-budget", "1GiB", "--backend", "onnxruntime", "--device", "cpu",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    made = json.loads(result.stdout)["metadata"]
    assert made["negative_prompt"] == "blue"
    assert made["guidance_scale"] == 2.5
    assert made["scheduler"] == "dpmpp_2m"
    assert made["decode_chunk"] == 1
    assert made["backend"].startswith("onnxruntime ")


def test_embeddings_encoded_elsewhere_make_the_same_video(run_vidrt, tmp_path):
    encoded = run_vidrt("encode", PROMPT, "-o", "prompt.safetensors", "--json")
    assert encoded.returncode == 0, encoded.stderr
    assert json.loads(encoded.stdout)["encoder_id"]
    run_vidrt("encode", "blue", "-o", "negative.safetensors")
    plain = run_vidrt("generate", PROMPT, "--negative-prompt", "blue", "--seed", "1", "-o", "a.y4m", *TINY)
    given = run_vidrt(
        "generate", "--prompt-embeds", "prompt.safetensors", "--negative-prompt-embeds", "negative.safetensors",
        "--seed", "1", "-o", "b.y4m", *TINY,
    )  # fmt: skip
    assert plain.returncode == given.returncode == 0, given.stderr
    assert (tmp_path / "a.y4m").read_bytes() == (tmp_path / "b.y4m").read_bytes()


def test_unknown_words_are_a_warning_that_names_them(run_vidrt):
    result = run_vidrt("generate", "a red quokka", "-o", "c.y4m", *TINY)
    assert result.returncode == 0
    assert [line for line in result.stderr.splitlines() if line.startswith("warning: ") and "'quokka'" in line]


def test_a_prompt_that_contradicts_itself_is_a_warning(run_vidrt):
    result = run_vidrt("generate", "a red blue circle", "-o", "c.y4m", *TINY)
    assert result.returncode == 0
    assert "warning: the prompt names more than one colour: 'red', 'blue'; the model shows one at most" in result.stderr


def test_progress_is_drawn_on_a_terminal(pocket_bundle, tmp_path):
    import os
    import pty
    import subprocess
    import sys

    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "vidrt.engine.cli", "generate", PROMPT, "-o", str(tmp_path / "c.y4m"), *TINY],
        stderr=slave, stdout=subprocess.PIPE, env={**os.environ, "VIDRT_BUNDLE": str(pocket_bundle), "TERM": "xterm"},
    )  # fmt: skip
    os.close(slave)
    drawn = b""
    try:
        while chunk := os.read(master, 65536):
            drawn += chunk
    except OSError:  # the other end of a pseudo-terminal closes with an error
        pass
    os.close(master)
    process.communicate(timeout=60)
    for word in (b"load", b"encode", b"denoise", b"decode", b"9/9", b"frames", b"left"):
        assert word in drawn


def test_the_default_bundle_is_the_one_of_the_source_tree(run_vidrt, pocket_bundle):
    result = run_vidrt("inspect", "--json", VIDRT_BUNDLE="")
    assert json.loads(result.stdout)["path"] == str(pocket_bundle)


def test_the_version_is_printed(run_vidrt):
    assert run_vidrt("--version").stdout == f"vidrt {vidrt.__version__}\n"
