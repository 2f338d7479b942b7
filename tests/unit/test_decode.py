"""Latents to videos without a text encoder or a denoiser: in Python and on the command line, with any bundle."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import vidrt

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def latents() -> npt.NDArray[np.float32]:
    """Three latent frames of the pocket model: nine frames of 32x32."""
    return np.random.default_rng(1).standard_normal((8, 3, 4, 4), dtype=np.float32)


@pytest.fixture(scope="module")
def decoder_bundle(pocket_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pocket model's decoder alone."""
    folder = Path(shutil.copytree(pocket_bundle, tmp_path_factory.mktemp("decoder") / "bundle"))
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    for key in ("tokenizer", "scheduler", "guidance", "text", "image_conditioning"):
        del manifest[key]
    for key in ("num_inference_steps", "guidance_scale", "negative_prompt"):
        del manifest["defaults"][key]
    for module in ("text_encoder", "denoiser", "vae_encoder"):
        del manifest["modules"][module]
    path.write_text(json.dumps(manifest))
    return folder


def test_any_chunking_gives_the_same_frames(pipe: Any, unwarned: Any, latents: npt.NDArray[np.float32]) -> None:
    callbacks = vidrt.Callbacks(**unwarned)
    expected = pipe.decode_latents(vidrt.DecodeOptions(latents), callbacks).frames
    assert expected.shape == (9, 32, 32, 3)
    assert expected.std() > 1
    for chunk in (2, 3, 9):
        video = pipe.decode_latents(vidrt.DecodeOptions(latents, decode_chunk=chunk), callbacks)
        np.testing.assert_array_equal(video.frames, expected)
        assert video.metadata.decode_chunk == chunk


def test_floats_are_those_that_become_bytes(pipe: Any, unwarned: Any, latents: npt.NDArray[np.float32]) -> None:
    events: list[vidrt.FramesEvent] = []
    callbacks = vidrt.Callbacks(**unwarned, on_frames=events.append)
    expected = pipe.decode_latents(vidrt.DecodeOptions(latents), vidrt.Callbacks(**unwarned)).frames
    video = pipe.decode_latents(vidrt.DecodeOptions(latents, output_type="float32"), callbacks)
    np.testing.assert_array_equal(video.to_uint8().frames, expected)
    np.testing.assert_array_equal(np.concatenate([event.frames for event in events]), video.frames)
    with pytest.raises(vidrt.InvalidArgument, match="output_type must be uint8 or float32, got 'np'"):
        pipe.plan_decode(vidrt.DecodeOptions(latents, output_type="np"))


def test_a_decoder_alone_gives_the_frames_of_the_whole_model(
    pipe: Any, unwarned: Any, decoder_bundle: Path, latents: npt.NDArray[np.float32], tmp_path: Path
) -> None:
    callbacks = vidrt.Callbacks(**unwarned)
    alone = vidrt.TextToVideoPipeline(decoder_bundle, threads=1)
    assert alone.bundle.manifest.decoder_only
    video = alone.decode_latents(vidrt.DecodeOptions(latents[None], fps=12), callbacks)
    np.testing.assert_array_equal(video.frames, pipe.decode_latents(vidrt.DecodeOptions(latents), callbacks).frames)
    assert video.fps == 12
    assert set(video.metadata.variants) == {"vae_decoder_first", "vae_decoder_next"}
    assert video.save(tmp_path / "clip.gif").stat().st_size > 100
    with pytest.raises(vidrt.BundleError, match="only a decoder: no text_encoder and no denoiser"):
        alone("a small red circle")


def test_frames_come_as_they_are_decoded_and_a_cancel_stops_it(pipe: Any, latents: npt.NDArray[np.float32]) -> None:
    token = vidrt.CancelToken()
    firsts = []

    def on_frames(event: vidrt.FramesEvent) -> None:
        firsts.append(event.first_frame)
        if event.first_frame == 1:
            token.cancel()

    callbacks = vidrt.Callbacks(on_frames=on_frames, on_warning=lambda _: None, cancel=token)
    with pytest.raises(vidrt.Cancelled, match="after frame 5 of 9"):
        pipe.decode_latents(vidrt.DecodeOptions(latents), callbacks)
    assert firsts == [0, 1]


def test_the_plan_is_known_beforehand(pipe: Any, latents: npt.NDArray[np.float32]) -> None:
    plan = pipe.plan_decode(vidrt.DecodeOptions(latents, decode_chunk=2))
    assert (plan.num_frames, plan.height, plan.width, plan.decode_chunk) == (9, 32, 32, 2)
    assert {tensor.name for tensor in plan.tensors} >= {"decode_latents", "frames_first", "frames_next"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda array: array.astype(np.float64), "latents must be float32, got float64"),
        (lambda array: array[:7], r"latents must be float32 \(8, T, h, w\)"),
        (lambda array: array[..., :0], r"latents must be float32 \(8, T, h, w\)"),
        (lambda array: array[0], r"latents must be float32 \(8, T, h, w\)"),
        (lambda array: array[:, :, :3], "the latents' height in pixels must be 32 to 128 .* nearest valid: 32"),
        (lambda array: array * np.inf, "not finite"),
    ],
)
def test_latents_that_do_not_fit_are_refused(
    pipe: Any, latents: npt.NDArray[np.float32], change: Callable[[Any], Any], message: str
) -> None:
    with pytest.raises(vidrt.InvalidArgument, match=message):
        pipe.plan_decode(vidrt.DecodeOptions(change(latents)))


def test_the_command_writes_floats(
    pipe: Any, unwarned: Any, latents: npt.NDArray[np.float32], run_vidrt: Run, tmp_path: Path
) -> None:
    np.save(tmp_path / "latents.npy", latents)
    refused = run_vidrt("decode", "latents.npy", "-o", "frames.webm", "--output-type", "float32")
    assert refused.returncode == 2
    assert ".webm cannot hold float32 frames" in refused.stderr
    assert run_vidrt("decode", "latents.npy", "-o", "frames.npy", "--output-type", "float32", "-q").returncode == 0
    options = vidrt.DecodeOptions(latents, output_type="float32")
    expected = pipe.decode_latents(options, vidrt.Callbacks(**unwarned)).frames
    np.testing.assert_array_equal(np.load(tmp_path / "frames.npy"), expected)


def test_the_command_writes_the_frames_of_the_pipeline(
    pipe: Any, unwarned: Any, latents: npt.NDArray[np.float32], run_vidrt: Run, tmp_path: Path
) -> None:
    np.save(tmp_path / "latents.npy", latents)
    result = run_vidrt("decode", "latents.npy", "-o", "frames", "--fps", "5", "--json")
    assert result.returncode == 0, result.stderr
    summary = json.loads(result.stdout)
    assert summary["fps"] == 5
    assert summary["plan"]["num_frames"] == 9
    from PIL import Image

    files = sorted((tmp_path / "frames").glob("*.png"))
    expected = pipe.decode_latents(vidrt.DecodeOptions(latents), vidrt.Callbacks(**unwarned)).frames
    np.testing.assert_array_equal(np.stack([np.asarray(Image.open(file)) for file in files]), expected)
    result = run_vidrt("decode", "latents.npy", "-o", "clip.gif")
    assert "clip.gif: 9 frames of 32x32 at 8 fps" in result.stdout
    assert "quality was measured" in result.stderr


def _header_that_lies() -> bytes:
    """The header of an array of 4 TB with nothing behind it."""
    text = b"{'descr': '<f4', 'fortran_order': False, 'shape': (8, 1000000, 1000, 128), }"
    text += b" " * (117 - len(text)) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


@pytest.mark.parametrize(
    ("content", "code", "message"),
    [
        (None, 6, "cannot be read"),
        (b"", 2, "no .npy file of numbers"),
        (b"not an array", 2, "no .npy file of numbers"),
        (_header_that_lies(), 2, "no .npy file of numbers"),
        ("pickle", 2, "no .npy file of numbers"),
        ("several", 2, "several arrays"),
        ("double", 2, "latents must be float32, got float64"),
    ],
)
def test_files_that_hold_no_latents_are_refused_and_nothing_is_written(
    run_vidrt: Run, tmp_path: Path, content: bytes | str | None, code: int, message: str
) -> None:
    path = tmp_path / "latents.npy"
    if content == "pickle":
        np.save(path, np.array([{}], dtype=object), allow_pickle=True)
    elif content == "several":
        with path.open("wb") as file:
            np.savez(file, a=np.zeros(1), b=np.zeros(1))
    elif content == "double":
        np.save(path, np.zeros((8, 3, 4, 4)))
    elif isinstance(content, bytes):
        path.write_bytes(content)
    result = run_vidrt("decode", "latents.npy", "-o", "clip.gif")
    assert result.returncode == code, result.stderr
    assert message in result.stderr
    assert not (tmp_path / "clip.gif").exists()
