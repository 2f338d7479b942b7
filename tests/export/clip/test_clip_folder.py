"""Tokenizer folders of CLIP text encoders, and files in them that are not what they should be."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import CLIPTokenizer

from vidrt.engine.errors import InvalidArgument
from vidrt.export.clip_tokenizer import clip_tokenizer_spec

Edit = Callable[[dict[str, Any]], object]


def refused(folder: Path) -> str:
    with pytest.raises(InvalidArgument) as error:
        clip_tokenizer_spec(folder)
    assert "/tmp" not in str(error.value).replace(str(folder), "")  # no copy that was made on the way
    return str(error.value)


def edit(path: Path, change: Edit) -> None:
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


@pytest.fixture
def saved(modelscope: Path, tmp_path: Path) -> Path:
    """As transformers 5 saves it: a tokenizer.json and its config."""
    CLIPTokenizer.from_pretrained(modelscope).save_pretrained(tmp_path / "saved")
    return tmp_path / "saved"


@pytest.mark.parametrize("kind", ["modelscope", "saved"])
def test_special_tokens_and_their_ids_are_those_of_transformers(kind: str, request: pytest.FixtureRequest) -> None:
    folder: Path = request.getfixturevalue(kind)
    spec, original = clip_tokenizer_spec(folder), CLIPTokenizer.from_pretrained(folder)
    assert (spec.bos_id, spec.eos_id, spec.unk_id, spec.pad_id) == (
        original.bos_token_id,
        original.eos_token_id,
        original.unk_token_id,
        original.pad_token_id,
    )
    flags = {token.content: token.normalized for token in original.added_tokens_decoder.values()}
    assert dict.fromkeys(spec.added_tokens, False) | dict.fromkeys(spec.normalized_added_tokens, True) == flags
    assert spec.kind == "clip_bpe"
    assert list(spec.files) == ["tokenizer/vocab.json", "tokenizer/merges.txt"]


def test_special_tokens_map_is_read_where_the_config_lists_no_added_tokens(modelscope: Path) -> None:
    (modelscope / "special_tokens_map.json").write_text(json.dumps({"pad_token": "a"}))
    spec, original = clip_tokenizer_spec(modelscope), CLIPTokenizer.from_pretrained(modelscope)
    assert spec.pad_id == original.pad_token_id
    assert list(spec.added_tokens) == ["a"]


def test_a_folder_without_a_tokenizer_is_refused(tmp_path: Path, modelscope: Path) -> None:
    assert "model_max_length is None" in refused(tmp_path / "nothing")
    (modelscope / "merges.txt").unlink()
    assert "neither tokenizer.json nor merges.txt" in refused(modelscope)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tokenizer_class": "T5Tokenizer"}, "tokenizer_class is 'T5Tokenizer', expected one of CLIPTokenizer"),
        ({"model_max_length": 10**30}, "expected 2 to 4096 tokens"),
        ({"model_max_length": True}, "model_max_length is True"),
        ({"do_lower_case": False}, "do_lower_case is False, expected True"),
        ({"add_prefix_space": 1}, "add_prefix_space is 1, expected False"),
        ({"padding_side": "left"}, "padding_side is 'left', expected 'right'"),
        ({"split_special_tokens": True}, "split_special_tokens is True"),
        ({"add_bos_token": False}, "the setting 'add_bos_token' is not known"),
        ({"a_setting_of_the_future": 1}, "the setting 'a_setting_of_the_future' is not known"),
        ({"eos_token": "<nothing>"}, "the special token '<nothing>' is not in the vocabulary"),
        ({"pad_token": 5}, "pad_token is 5, expected an object"),
        ({"pad_token": {"content": "!"}}, "'!' has normalized None, expected a boolean"),
        ({"pad_token": {"content": "!", "normalized": False, "single_word": True}}, "has single_word True"),
        ({"additional_special_tokens": "<x>"}, "is '<x>', expected a list"),
        ({"additional_special_tokens": ["<x>"]}, "special token '<x>' is not in the vocabulary"),
        ({"added_tokens_decoder": []}, "added_tokens_decoder is [], expected an object"),
        ({"added_tokens_decoder": {"9": {"content": "!", "normalized": False}}}, "'!' has the id 9"),
        ({"added_tokens_decoder": {"x": {"content": "!", "normalized": False}}}, "expected a content and an id"),
    ],
)
def test_a_config_that_says_what_the_core_does_not_do_is_refused(
    modelscope: Path, change: dict[str, Any], message: str
) -> None:
    edit(modelscope / "tokenizer_config.json", lambda config: config.update(change))
    assert message in refused(modelscope)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda json: json["model"].update(type="Unigram"), "model.type is 'Unigram', expected 'BPE'"),
        (lambda json: json["model"].update(fuse_unk=True), "model.fuse_unk is True, expected False"),
        (lambda json: json["model"].update(vocab=[]), "model.vocab is [], expected an object"),
        (lambda json: json["model"].update(merges={}), "model.merges is {}, expected a list"),
        (lambda json: json["model"]["merges"].append(["a"]), "got ['a'], expected two tokens"),
        (lambda json: json["model"]["merges"].append(["a", "b c"]), "expected two tokens"),
        (lambda json: json["model"]["merges"].append(["\ud800", "a"]), "a surrogate"),
        (lambda json: json["model"]["vocab"].update({"!": "x"}), "the id of '!' is 'x', expected a number"),
        (lambda json: json["model"]["vocab"].update({"?": 0}), "got an id that another token has"),
        (lambda json: json.update(added_tokens={}), "added_tokens is {}, expected a list"),
        (lambda json: json["added_tokens"][0].update(id=5), "'!' has the id 5, but the vocabulary has 0"),
    ],
)
def test_a_tokenizer_json_that_is_not_clips_is_refused(saved: Path, change: Edit, message: str) -> None:
    edit(saved / "tokenizer.json", change)
    assert message in refused(saved)


def test_files_that_are_damaged_are_refused_by_name(modelscope: Path) -> None:
    for name, content, message in (
        ("merges.txt", b"a b c\n", "merges.txt' is no list of merges: line 1 has no two tokens"),
        ("merges.txt", b"\xff \xff\n", "it is not UTF-8"),
        ("merges.txt", b"! qqq\n", "which the vocabulary does not have"),
        ("vocab.json", b"{", "vocab.json' is no JSON"),
        ("vocab.json", b"[" * 100000, "vocab.json' is no JSON"),
        ("vocab.json", b"[]", "is [], expected an object"),
    ):
        before = (modelscope / name).read_bytes()
        (modelscope / name).write_bytes(content)
        assert message in refused(modelscope)
        (modelscope / name).write_bytes(before)


def test_tokens_that_only_an_old_file_gives_are_refused(modelscope: Path) -> None:
    (modelscope / "added_tokens.json").write_text('{"<new>": 900}')
    assert "added_tokens.json' is not read; expected added_tokens_decoder" in refused(modelscope)
