"""The core's tokenizer of kind clip_bpe, over folders that the exporter read, against Hugging Face's CLIPTokenizer."""

from __future__ import annotations

import importlib.util
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import CLIPTokenizer

from vidrt.export.clip_tokenizer import clip_tokenizer_spec
from vidrt.export.tokenizer_files import core_tokenizer

START, END = "<|startoftext|>", "<|endoftext|>"
COUNT = 12000
ODD = [*"\t\n\v\f\r\x00\x07\x1b\x1c\x1f\x7f\x85\xa0\xad\u0130\u0131ẞßςΣſK\u212bﬁǅ½①²٣Ⅷ〇㍿Ａ１"]
ODD += [
    *"\u0300\u0301\u0307\u0323\u0338\u0345\u05bc\u0e33\u1100\u1161\u11a7\u11a8\uac00\uac01\u200b\u200d\ufe0f\ufeff\ufffd"
]
ODD += [*"\u0340\u0344\u0958\ufb2c\u0b47\u0b56\u2126\u2329\uf900\u3099か\u1e9b\u0378\ue000\uffff\U0001d15e\U00020000"]
ODD += [*"\U0010ffff\U00011938\U00011935\U00011930\U000e0041😀"]
ODD += [
    "👩\u200d👩\u200d👧",
    "🇩🇪",
    "a\u0300\u0323",
    "'s",
    "'S",
    "'LL",
    "'re",
    "''",
    "'d'm",
    "</w>",
    "<w>",
    "  ",
    "!!",
    "_",
]
MARKERS = [
    START,
    END,
    START.upper(),
    "<|EndOfText|>",
    END + END,
    "<|",
    "|>",
    "!" + START,
    "<|startoftext|",
    "|endoftext|>",
]


def texts(corpus: list[str]) -> list[str]:
    """Words of many languages, runs of characters of every script, and characters from anywhere in Unicode."""
    rng = random.Random(7)
    words = [*" ".join(corpus).split(), *(word.upper() for word in " ".join(corpus).split()), *MARKERS, *ODD]
    letters = [*"abc defghij KLM '''123 .,!?-", *"".join(corpus), *ODD, *MARKERS]
    anywhere = [code for code in range(0x30000) if not 0xD800 <= code < 0xE000]
    made = ["", " ", "!", *ODD, *MARKERS, *corpus]
    for index in range(COUNT):
        length = rng.randint(0, 24)
        if index % 3 == 0:
            made.append(" ".join(rng.choices(words, k=length)))
        elif index % 3 == 1:
            made.append("".join(rng.choices(letters, k=length)))
        else:
            made.append("".join(map(chr, rng.choices(anywhere, k=length))) + rng.choice(ODD))
    return made


def test_ids_are_those_of_hugging_face_on_12000_strings(clip_folders: Any, modelscope: Path, tmp_path: Path) -> None:
    hugging_face = CLIPTokenizer.from_pretrained(modelscope)
    ours = core_tokenizer(clip_tokenizer_spec(modelscope), tmp_path / "ours")
    made = texts(clip_folders.corpus)
    assert len(made) > 12000
    for text, expected in zip(made, hugging_face(made).input_ids, strict=True):
        assert ours.encode(text).ids == expected, repr(text)


def test_every_character_of_unicode_gives_the_ids_of_hugging_face(
    clip_folders: Any, modelscope: Path, tmp_path: Path
) -> None:
    hugging_face = CLIPTokenizer.from_pretrained(modelscope)
    ours = core_tokenizer(clip_tokenizer_spec(modelscope), tmp_path / "ours")
    codes = [code for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    codes = [code for code in codes if code < 0x32000 or (code >= 0xE0000 and code % 64 == 0)]
    made = ["".join(f"a{chr(code)}\u0323" for code in codes[at : at + 32]) for at in range(0, len(codes), 32)]
    for text, expected in zip(made, hugging_face(made).input_ids, strict=True):
        assert ours.encode(text).ids == expected, repr(text)


Edit = Callable[[dict[str, Any]], dict[str, Any]]


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(lambda config: config | {"pad_token": END}, id="padded with the end"),
        pytest.param(lambda config: config | {"bos_token": START, "eos_token": END, "unk_token": END}, id="plain"),
        pytest.param(lambda config: {"model_max_length": 77}, id="defaults"),
        pytest.param(lambda config: config | {"additional_special_tokens": ["fox</w>", "a"]}, id="more tokens"),
    ],
)
def test_special_tokens_are_split_off_as_hugging_face_does(clip_folders: Any, tmp_path: Path, edit: Edit) -> None:
    folder = clip_folders.write(tmp_path / "tokenizer", edit(clip_folders.config()))
    hugging_face = CLIPTokenizer.from_pretrained(folder)
    ours = core_tokenizer(clip_tokenizer_spec(folder), tmp_path / "ours")
    made = texts(clip_folders.corpus)[::12]
    for text, expected in zip(made, hugging_face(made).input_ids, strict=True):
        assert ours.encode(text).ids == expected, repr(text)


def test_bytes_without_a_token_are_the_unknown_one_as_with_hugging_face(clip_folders: Any, tmp_path: Path) -> None:
    folder = clip_folders.write(tmp_path / "tokenizer", clip_folders.config(), merges=[], missing="zĥ")
    hugging_face = CLIPTokenizer.from_pretrained(folder)
    ours = core_tokenizer(clip_tokenizer_spec(folder), tmp_path / "ours")
    for text in ["zz zebra", "a z", "jazz.", *texts(clip_folders.corpus)[::60]]:
        assert ours.encode(text).ids == hugging_face(text).input_ids, repr(text)
    assert ours.encode("a zebra").unknown_words == ["zebra"]


def test_a_folder_that_transformers_5_saved_gives_the_same(clip_folders: Any, modelscope: Path, tmp_path: Path) -> None:
    CLIPTokenizer.from_pretrained(modelscope).save_pretrained(tmp_path / "saved")
    assert not (tmp_path / "saved" / "vocab.json").exists()
    original, saved = clip_tokenizer_spec(modelscope), clip_tokenizer_spec(tmp_path / "saved")
    assert (saved.max_length, saved.pad_id, saved.bos_id) == (77, original.pad_id, original.bos_id)
    assert saved.normalized_added_tokens == original.normalized_added_tokens
    ours, same = core_tokenizer(original, tmp_path / "ours"), core_tokenizer(saved, tmp_path / "same")
    for text in texts(clip_folders.corpus)[::24]:
        assert ours.encode(text).ids == same.encode(text).ids, repr(text)


def test_a_prompt_is_padded_and_cut_to_77_as_the_pipeline_asks(
    clip_folders: Any, modelscope: Path, tmp_path: Path
) -> None:
    hugging_face = CLIPTokenizer.from_pretrained(modelscope)
    spec = clip_tokenizer_spec(modelscope)
    assert spec.max_length == hugging_face.model_max_length == 77
    ours = core_tokenizer(spec, tmp_path / "ours")
    for text in ["a red circle", "circle " * 100]:
        expected = hugging_face(text, padding="max_length", max_length=77, truncation=True)
        ids = ours.encode(text).ids
        kept = ids if len(ids) <= 77 else [*ids[:76], spec.eos_id]
        assert kept + [spec.pad_id] * (77 - len(kept)) == expected.input_ids


@pytest.mark.slow
def test_the_committed_tables_are_what_the_tool_writes() -> None:
    root = Path(__file__).parents[3]
    spec = importlib.util.spec_from_file_location("clip_unicode_tables", root / "tools" / "clip_unicode_tables.py")
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    assert (root / "csrc" / "runtime" / "clip_unicode_tables.cpp").read_text() == tool.source()
