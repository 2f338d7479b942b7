"""Embeddings of prompts in the user's cache folder, from Python and the command."""

import numpy as np
import pytest

import vidrt

PROMPT = "a small red circle moving left"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("VIDRT_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache" / "prompt-embeds"


def test_a_second_pipeline_generates_the_same_frames_without_the_text_encoder(pocket_bundle, tiny, unwarned, cache):
    videos, loads = [], []
    for _ in range(2):
        pipe = vidrt.TextToVideoPipeline(pocket_bundle, threads=1, embeds_cache="1MiB")
        events = []
        videos.append(pipe(PROMPT, on_stage=events.append, **unwarned, **tiny))
        loads.append(max(event.total for event in events if event.stage == "load"))
    np.testing.assert_array_equal(videos[0].frames, videos[1].frames)
    assert loads == [4, 3]
    assert videos[1].metadata.prompt == PROMPT


def test_without_it_a_pipeline_writes_nothing(pocket_bundle, cache):
    vidrt.TextToVideoPipeline(pocket_bundle, threads=1).encode_prompt(PROMPT)
    assert not cache.exists()


@pytest.mark.parametrize("size", ["lots", -1])
def test_a_size_that_is_none_is_refused_by_name(pocket_bundle, size):
    with pytest.raises(vidrt.InvalidArgument, match="embeds_cache"):
        vidrt.TextToVideoPipeline(pocket_bundle, embeds_cache=size)


def test_the_command_keeps_embeddings_unless_told_not_to(run_vidrt, cache, tmp_path):
    assert run_vidrt("encode", PROMPT, "-o", "a.safetensors", "--embeds-cache", "0").returncode == 0
    assert not cache.exists()
    assert run_vidrt("encode", PROMPT, "-o", "a.safetensors").returncode == 0
    (entry,) = cache.iterdir()
    entry.write_bytes(b"damaged")
    again = run_vidrt("encode", PROMPT, "-o", "b.safetensors")
    assert "made anew" in again.stderr
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    assert entry.stat().st_size > len(b"damaged")
