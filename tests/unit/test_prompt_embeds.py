"""Prompt embeddings as things of their own."""

import numpy as np
import pytest

import vidrt

PROMPT = "a small red circle moving left"


@pytest.fixture
def embeds(pipe):
    return pipe.encode_prompt(PROMPT)


def test_they_are_views_that_outlive_their_owner_and_cannot_be_written(pipe):
    rows = pipe.encode_prompt(PROMPT).text_embeds
    again = pipe.encode_prompt(PROMPT).text_embeds
    np.testing.assert_array_equal(rows, again)
    assert rows.dtype == np.float32
    assert rows.shape[0] == pipe.bundle.manifest.text_length
    with pytest.raises(ValueError, match="read-only"):
        rows[0, 0] = 1


def test_the_mask_counts_the_tokens(pipe, embeds):
    assert embeds.text_mask.dtype == np.int64
    assert embeds.text_mask.sum() == len(pipe.bundle.tokenizer.encode(PROMPT).ids)


def test_saved_and_loaded_they_are_the_same(embeds, tmp_path):
    embeds.save(tmp_path / "prompt.safetensors")
    again = vidrt.PromptEmbeds.load(tmp_path / "prompt.safetensors")
    np.testing.assert_array_equal(again.text_embeds, embeds.text_embeds)
    np.testing.assert_array_equal(again.text_mask, embeds.text_mask)
    assert (again.prompt, again.encoder_id) == (PROMPT, embeds.encoder_id)


def test_a_video_from_embeddings_is_the_video_from_the_prompt(pipe, tiny, unwarned, embeds, tmp_path):
    embeds.save(tmp_path / "prompt.safetensors")
    loaded = vidrt.PromptEmbeds.load(tmp_path / "prompt.safetensors")
    from_prompt = pipe(PROMPT, **tiny, **unwarned)
    from_embeds = pipe(prompt_embeds=loaded, **tiny, **unwarned)
    np.testing.assert_array_equal(from_embeds.frames, from_prompt.frames)
    assert from_embeds.metadata.prompt == PROMPT


def test_the_negative_prompt_can_be_embeddings_too(pipe, tiny, unwarned):
    plain = pipe(PROMPT, negative_prompt="blue", **tiny, **unwarned)
    given = pipe(PROMPT, negative_prompt_embeds=pipe.encode_prompt("blue"), **tiny, **unwarned)
    np.testing.assert_array_equal(given.frames, plain.frames)


def test_a_prompt_and_embeddings_together_are_refused(pipe, tiny, embeds):
    with pytest.raises(vidrt.InvalidArgument, match="both prompt and prompt_embeds"):
        pipe(PROMPT, prompt_embeds=embeds, **tiny)


def test_embeddings_of_another_encoder_are_refused(pipe, tiny, unwarned, embeds):
    other = vidrt.PromptEmbeds(embeds.text_embeds, embeds.text_mask, PROMPT, "0" * 64)
    with pytest.raises(vidrt.InvalidArgument, match="another text encoder"):
        pipe(prompt_embeds=other, **tiny, **unwarned)


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(vidrt.InvalidArgument, match="two dimensions"):
        vidrt.PromptEmbeds(np.zeros(3, np.float32), np.zeros(3, np.int64))
    with pytest.raises(vidrt.InvalidArgument, match="each of the 4 rows"):
        vidrt.PromptEmbeds(np.zeros((4, 2), np.float32), np.zeros(3, np.int64))


def test_a_file_that_is_something_else_is_refused(tmp_path):
    path = tmp_path / "notes.safetensors"
    for content in (b"", b"hello, this is no tensor", (2**62).to_bytes(8, "little") + b"{}"):
        path.write_bytes(content)
        with pytest.raises(vidrt.InvalidArgument):
            vidrt.PromptEmbeds.load(path)


def test_an_unwritable_place_is_an_io_error(embeds, tmp_path):
    with pytest.raises(vidrt.IoError):
        embeds.save(tmp_path / "no" / "such" / "folder.safetensors")
    assert list(tmp_path.iterdir()) == []
