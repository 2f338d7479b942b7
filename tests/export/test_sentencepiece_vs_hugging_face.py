"""The core's SentencePiece tokenizer against the library itself and against Hugging Face's T5Tokenizer."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
import sentencepiece
from transformers import T5Tokenizer

from vidrt import _core

SENTENCES = [
    "a red circle moves left over a dark background",
    "The quick brown fox jumps over the lazy dog.",
    "一个红色的圆形向左移动",
    "黑暗背景上的蓝色方块",
    "Ein kleiner roter Kreis bewegt sich nach links",
    "Быстрая коричневая лиса прыгает",
    "赤い丸が左に動く",
    "우리는 비디오를 만든다",
    "¿Dónde está la niña?",
    "مرحبا بالعالم",
    "1234567890 !?.,;:-_()[]{}",
    "café naïve Ångström",
]
ODD = [
    "\u3000",
    "\u00a0",
    "\u200b",
    "\t",
    "\n",
    "\u0301",
    "\ufb01",
    "½",
    "①",
    "😀",
    "👩\u200d👩\u200d👧",
    "\u2581",
    "Ａ",
    "㍿",
]
ODD += ["\u00ad", "\ufeff", "  ", "ß", "İ", "ς", "\U00020000"]
# Hugging Face normalises by grapheme and gives other ids for these; the library is the reference.
BY_GRAPHEME = ["\u0301", "\u0e33"]
ADDED = {"<pad>": 0, "</s>": 1, "<unk>": 2}
COUNT = 6000
TrainT5 = Callable[[Path, bool], None]


def texts(extra: list[str]) -> list[str]:
    """Sentences of words, and runs of characters of every script."""
    rng = random.Random(5)
    words = " ".join(SENTENCES).split()
    letters = [*"abcdefghij klmnopqrstuvwxyz  ABC .,!?'\"-_0123456789", *"".join(SENTENCES), *ODD, *extra]
    made = ["", " ", "▁", *ODD, *SENTENCES]
    for index in range(COUNT):
        source, glue = (letters, "") if index % 2 else (words + extra, " ")
        made.append(glue.join(rng.choices(source, k=rng.randint(0, 24))))
    return made


def core_encode(folder: Path, added: dict[str, int] | None = None) -> Callable[[str], list[int]]:
    tokenizer = _core.load_tokenizer(
        folder, "sentencepiece", ["spiece.model"], max_length=10**6, pad_id=0, eos_id=1, added_tokens=added or {}
    )
    return lambda text: list(tokenizer.encode(text).ids)


@pytest.mark.parametrize("byte_fallback", [False, True], ids=["unknown pieces", "byte fallback"])
def test_ids_are_those_of_the_library(tmp_path: Path, train_t5: TrainT5, byte_fallback: bool) -> None:
    train_t5(tmp_path, byte_fallback)
    encode = core_encode(tmp_path)
    library = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "spiece.model"))
    for text in texts(BY_GRAPHEME):
        assert encode(text) == [*library.encode(text), 1], repr(text)


def test_ids_are_those_of_hugging_face_with_special_tokens_split_off(tmp_path: Path, train_t5: TrainT5) -> None:
    train_t5(tmp_path, False)  # T5Tokenizer does not fall back to bytes
    encode = core_encode(tmp_path, ADDED)
    hugging_face = T5Tokenizer.from_pretrained(tmp_path, extra_ids=0)
    for text in texts(list(ADDED)):
        assert encode(text) == hugging_face(text).input_ids, repr(text)
