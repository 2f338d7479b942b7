"""Tokenizer folders of diffusers models, and files in them that are not what they should be."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import T5Tokenizer

from vidrt.engine.errors import InvalidArgument
from vidrt.export.wan.tokenizer_folder import tokenizer_spec

Edit = Callable[[dict[str, Any]], object]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory, train_t5: Callable[[Path, bool], None]) -> dict[str, bytes]:
    """The files of a sound folder."""
    folder = tmp_path_factory.mktemp("saved")
    train_t5(folder, True)
    T5Tokenizer.from_pretrained(folder).save_pretrained(folder)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def folder(tmp_path: Path, saved: dict[str, bytes]) -> Path:
    for name, content in saved.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def refused(folder: Path) -> str:
    with pytest.raises(InvalidArgument) as error:
        tokenizer_spec(folder, 512)
    return str(error.value)


def edit(path: Path, change: Edit) -> None:
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


def test_special_tokens_and_their_ids_are_those_of_transformers(folder: Path) -> None:
    spec = tokenizer_spec(folder, 512)
    original = T5Tokenizer.from_pretrained(folder)
    assert (spec.pad_id, spec.eos_id, spec.unk_id) == (0, 1, 2)
    assert spec.added_tokens == original.get_added_vocab() | {"<pad>": 0, "</s>": 1, "<unk>": 2}
    assert spec.added_tokens["<extra_id_0>"] >= 256
    assert spec.files == {"tokenizer/spiece.model": (folder / "spiece.model").read_bytes()}
    assert spec.max_length == 512
    assert spec.byte_fallback is False


def test_ids_of_added_tokens_come_from_tokenizer_json_where_the_config_has_none(folder: Path) -> None:
    whole = tokenizer_spec(folder, 512)
    edit(folder / "tokenizer_config.json", lambda config: config.pop("added_tokens_decoder", None))
    assert tokenizer_spec(folder, 512) == whole


def test_a_folder_with_the_model_alone_has_only_its_own_special_tokens(folder: Path) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()
    assert tokenizer_spec(folder, 512).added_tokens == {"<pad>": 0, "</s>": 1, "<unk>": 2}


def test_a_folder_without_a_tokenizer_is_refused(tmp_path: Path) -> None:
    assert "neither spiece.model nor tokenizer.json" in refused(tmp_path)
    assert "is no folder" in refused(tmp_path / "missing")


@pytest.mark.parametrize("length", [1, 0, -5, 4097])
def test_a_length_that_no_bundle_has_is_refused(folder: Path, length: int) -> None:
    with pytest.raises(InvalidArgument, match=f"max_length is {length}, expected 2 to 4096"):
        tokenizer_spec(folder, length)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda config: config.update(tokenizer_class="Qwen2Tokenizer"), "tokenizer_class is 'Qwen2Tokenizer'"),
        (lambda config: config.update(tokenizer_class=["T5Tokenizer"]), "tokenizer_class is"),
        (lambda config: config.update(eos_token="<nothing>"), "eos_token is '<nothing>', expected one of"),
        (lambda config: config.update(pad_token=5), "pad_token is 5, expected one of"),
        (lambda config: config.update(added_tokens_decoder=[]), "added_tokens_decoder is []"),
        (lambda config: config.update(added_tokens_decoder={"9": "x"}), "is 'x', expected an object"),
        (
            lambda config: config.update(added_tokens_decoder={"nine": {"content": "<x>"}}),
            "expected a content and an id",
        ),
        (lambda config: config.update(added_tokens_decoder={"-1": {"content": "<x>"}}), "expected a content and an id"),
        (
            lambda config: config.update(added_tokens_decoder={"9999999999": {"content": "<x>"}}),
            "9999999999, expected 0",
        ),
        (lambda config: config.update(added_tokens_decoder={"9": {"content": ""}}), "expected a content and an id"),
        (
            lambda config: config.update(added_tokens_decoder={"9": {"content": "<x>", "single_word": True}}),
            "'<x>' has single_word True, expected false",
        ),
        (
            lambda config: config.update(added_tokens_decoder={"9": {"content": "<x>", "normalized": True}}),
            "'<x>' has normalized True, expected false",
        ),
    ],
)
def test_a_config_that_says_what_the_core_does_not_do_is_refused(folder: Path, change: Edit, message: str) -> None:
    edit(folder / "tokenizer_config.json", change)
    assert message in refused(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda json: json["model"].update(type="BPE"), "model.type is 'BPE', expected Unigram"),
        (lambda json: json.update(model=[]), "model is [], expected an object"),
        (lambda json: json["model"].update(vocab={}), "model.vocab is {}, expected a list"),
        (lambda json: json["model"].update(unk_id=100000), "model.unk_id is 100000"),
        (lambda json: json["model"].update(unk_id=True), "model.unk_id is True"),
        (lambda json: json["model"]["vocab"].__setitem__(3, ["x"]), "model.vocab[3] is ['x']"),
        (lambda json: json["model"]["vocab"].__setitem__(3, ["x", float("nan")]), "model.vocab[3] is ['x', nan]"),
        (lambda json: json["model"]["vocab"].__setitem__(3, ["\ud800", 1.0]), "expected a text and its score"),
        (lambda json: json["model"]["vocab"].__setitem__(3, ["x" * 5000, 1.0]), "5000 bytes"),
        (lambda json: json["model"]["vocab"].__setitem__(4, json["model"]["vocab"][3]), "already defined"),
        (lambda json: json.update(pre_tokenizer=None), "pre_tokenizer is None, expected Metaspace"),
        (lambda json: json.update(pre_tokenizer={"type": "ByteLevel"}), "expected Metaspace"),
        (lambda json: json.update(normalizer={"type": "NFKC"}), "normalizer is {'type': 'NFKC'}"),
        (lambda json: json["normalizer"].update(precompiled_charsmap="!"), "table is not base64"),
        (
            lambda json: json["normalizer"].update(precompiled_charsmap="AAAA"),
            "tokenizer.json' is no valid SentencePiece model",
        ),
        (lambda json: json.update(added_tokens={}), "is {}, expected a list"),
    ],
)
def test_a_tokenizer_json_that_is_no_t5s_is_refused(folder: Path, change: Edit, message: str) -> None:
    (folder / "spiece.model").unlink()
    edit(folder / "tokenizer.json", change)
    assert message in refused(folder)


@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer_config.json"])
def test_files_that_are_no_json_are_refused(folder: Path, name: str) -> None:
    for content in (b"", b"{", b"[" * 100000, b"\xff\xfe{}", b"[]"):
        (folder / name).write_bytes(content)
        assert name in refused(folder)


def test_a_model_that_is_damaged_is_refused(folder: Path) -> None:
    (folder / "spiece.model").write_bytes(b"not a model")
    assert f"{folder}/spiece.model' is no" in refused(folder)


def test_a_file_larger_than_any_tokenizers_is_refused(folder: Path) -> None:
    with (folder / "spiece.model").open("wb") as file:
        file.truncate((64 << 20) + 1)  # a sparse file: nothing is written
    assert "more than 64 MiB" in refused(folder)


def test_additional_tokens_without_ids_are_refused(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    edit(folder / "tokenizer_config.json", lambda config: config.pop("added_tokens_decoder", None))
    edit(folder / "tokenizer_config.json", lambda config: config.update(additional_special_tokens=["<extra_id_0>"]))
    assert "no file gives their ids" in refused(folder)
