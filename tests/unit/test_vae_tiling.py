"""Frames decoded in tiles with the shipped model: in Python and on the command line."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import vidrt

Run = Callable[..., subprocess.CompletedProcess[str]]
Frames = npt.NDArray[np.uint8]

# Three by two tiles of 64x64 pixels in frames of 128x112, which overlap by 32 and 16.
TILING = vidrt.VaeTiling("on", 64, 64, 32, 48)


@pytest.fixture(scope="module")
def latents(pipe: Any) -> npt.NDArray[np.float32]:
    """Three latent frames of the pocket model: nine frames of 128x112."""
    return np.random.default_rng(1).standard_normal((8, 3, 16, 14), dtype=np.float32)


def decode(pipe: Any, latents: npt.NDArray[np.float32], **options: Any) -> vidrt.Video:
    callbacks = vidrt.Callbacks(on_warning=lambda _: None)
    video: vidrt.Video = pipe.decode_latents(vidrt.DecodeOptions(latents, **options), callbacks)
    return video


def test_one_tile_gives_the_frames_without_tiles(pipe: Any, latents: npt.NDArray[np.float32]) -> None:
    expected = decode(pipe, latents, vae_tiling="off").frames
    for tiling in (None, "auto", "on", vidrt.VaeTiling("on", 128, 112)):
        video = decode(pipe, latents, vae_tiling=tiling)
        np.testing.assert_array_equal(video.frames, expected)
        assert video.metadata.tiles.count == 1


def test_a_clip_in_tiles_stays_near_that_of_whole_frames_and_shows_no_seam(pipe: Any, unwarned: Any) -> None:
    settings = {"height": 96, "width": 96, "num_frames": 9, "num_inference_steps": 6, "guidance_scale": 1.0, "seed": 7}
    prompt = "a large blue square moving up"
    whole = pipe(prompt, **settings, **unwarned, vae_tiling="off").frames
    video = pipe(prompt, **settings, **unwarned, vae_tiling=vidrt.VaeTiling("on", 48, 48, 40, 40))
    tiles = video.metadata.tiles
    assert (tiles.rows, tiles.columns, tiles.height, tiles.width) == (3, 3, 48, 48)
    assert (tiles.overlap_height, tiles.overlap_width) == (24, 24)
    error = video.frames.astype(float) - whole
    mean, most = np.abs(error).mean(), np.abs(error).max()
    print(f"mean {mean:.3f}, max {most:.0f} of 255")
    assert 0 < mean < 0.2
    assert most < 40
    # A seam is a step of the error from a row or a column to the next, all along it. Tiles begin or end at these.
    for axis in (1, 2):
        steps = np.abs(np.diff(error, axis=axis)).mean(axis=tuple({0, 1, 2, 3} - {axis}))
        print(f"steps at tiles' edges {steps[[23, 47, 71]].round(3)}, elsewhere {steps.mean():.3f}")
        assert steps[[23, 47, 71]].max() < 4 * steps.mean()


def test_threads_change_no_bit_and_chunks_no_more_than_without_tiles(
    pipe: Any, pocket_bundle: Any, latents: npt.NDArray[np.float32]
) -> None:
    video = decode(pipe, latents, vae_tiling=TILING)
    assert video.metadata.tiles.count == 6
    expected = video.frames
    # ONNX Runtime may round other shapes otherwise, whole frames as well.
    chunked = decode(pipe, latents, vae_tiling=TILING, decode_chunk=2).frames
    np.testing.assert_allclose(chunked.astype(int), expected, rtol=0, atol=1)
    assert np.mean(chunked != expected) < 1e-3
    two = vidrt.TextToVideoPipeline(pocket_bundle, threads=2)
    np.testing.assert_array_equal(decode(two, latents, vae_tiling=TILING).frames, expected)


def test_a_generation_streams_its_frames_in_tiles(pipe: Any, tiny: dict[str, Any], unwarned: Any) -> None:
    settings = {**tiny, "height": 64, "vae_tiling": vidrt.VaeTiling("on", 48, None, 16)}
    video = pipe("a small red circle", **settings, **unwarned)
    assert (video.metadata.tiles.rows, video.metadata.tiles.columns) == (2, 1)
    frames = list(pipe.stream("a small red circle", callbacks=vidrt.Callbacks(**unwarned), **settings))
    np.testing.assert_array_equal(np.stack(frames), video.frames)


def test_the_plan_has_the_tiles(pipe: Any, latents: npt.NDArray[np.float32]) -> None:
    plan = pipe.plan_decode(vidrt.DecodeOptions(latents, vae_tiling=TILING))
    assert plan.to_dict()["tiles"]["rows"] == 3
    whole = pipe.plan_decode(vidrt.DecodeOptions(latents, vae_tiling="off"))
    sizes, whole_sizes = ({tensor.name: tensor.bytes for tensor in one.tensors} for one in (plan, whole))
    assert sizes["decode_latents"] < whole_sizes["decode_latents"]
    assert sizes["cache_b_0"] < whole_sizes["cache_b_0"]
    assert "tile_frames_next" in sizes.keys() - whole_sizes.keys()


@pytest.mark.parametrize(
    ("tiling", "message"),
    [
        ("always", "vae_tiling must be auto, on or off, got 'always'"),
        (True, "vae_tiling must be 'auto', 'on', 'off' or a VaeTiling, got True"),
        (vidrt.VaeTiling(mode=1), "vae_tiling must be a string"),  # type: ignore[arg-type]
        (vidrt.VaeTiling("on", 72), "tile_sample_min_height must be 32 to 128 .* got 72; nearest valid: 64, 80"),
        (vidrt.VaeTiling("on", None, 0), "tile_sample_min_width must be 1 to"),
        (vidrt.VaeTiling("on", 64.0), "tile_sample_min_height must be an integer"),  # type: ignore[arg-type]
        (vidrt.VaeTiling("on", 64, 64, 60), "tile_sample_stride_height must be 8 to 56 in steps of 8.* got 60"),
        (vidrt.VaeTiling("on", 64, 64, None, 64), "tile_sample_stride_width .*less than the tile's 64.* got 64"),
        (vidrt.VaeTiling("off", 64), "tile_sample_min_height is 64, but has no effect with vae_tiling off"),
    ],
)
def test_tiles_that_are_none_are_refused(
    pipe: Any, latents: npt.NDArray[np.float32], tiling: Any, message: str
) -> None:
    with pytest.raises(vidrt.InvalidArgument, match=message):
        pipe.plan_decode(vidrt.DecodeOptions(latents, vae_tiling=tiling))
    with pytest.raises(vidrt.InvalidArgument, match=message):
        pipe.plan(vidrt.GenerateOptions(vae_tiling=tiling))


def test_the_commands_take_and_name_the_tiles(
    pipe: Any, latents: npt.NDArray[np.float32], run_vidrt: Run, tmp_path: Any
) -> None:
    size = ["--height", "64", "--width", "96", "--num-frames", "5", "--steps", "1", "--seed", "7"]
    tiles = ["--vae-tiling", "on", "--tile-sample-min-width", "48", "--tile-sample-stride-width", "24"]
    said = "frames decoded in 1x3 tiles of 48x64 that overlap by 24x0 or more"
    result = run_vidrt("plan", *size[:-4], *tiles)
    assert result.returncode == 0, result.stderr
    assert said in result.stdout
    result = run_vidrt("generate", "a red circle", *size, *tiles, "--output", "clip.gif")
    assert said in result.stdout
    result = run_vidrt("generate", "a red circle", *size, *tiles, "--output", "clip.gif", "--json")
    assert json.loads(result.stdout)["metadata"]["tiles"]["columns"] == 3
    np.save(tmp_path / "latents.npy", latents)
    tiles = ["--vae-tiling", "on", "--tile-sample-min-height", "96"]
    result = run_vidrt("decode", "latents.npy", "-o", "clip.gif", *tiles)
    assert "frames decoded in 2x1 tiles of 112x96 that overlap by 0x64 or more" in result.stdout
    result = run_vidrt("decode", "latents.npy", "-o", "bad.gif", "--vae-tiling", "perhaps")
    assert result.returncode == 2
    assert "vae_tiling must be auto, on or off, got 'perhaps'" in result.stderr
    assert not (tmp_path / "bad.gif").exists()
