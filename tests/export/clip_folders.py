"""Tokenizer folders as they lie in diffusers models with a CLIP text encoder, with a small trained vocabulary."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

_CORPUS = [
    "a red circle moves left over a dark background",
    "The quick brown fox jumps over the lazy dog. It's what they've said: I'll, we're, don't, he'd, I'm!",
    "一个红色的圆形向左移动",
    "Ein kleiner roter Kreis bewegt sich nach links; schön, größer, Ångström",
    "Быстрая коричневая лиса прыгает",
    "赤い丸が左に動く",
    "우리는 비디오를 만든다",
    "¿Dónde está la niña?",
    "مرحبا بالعالم",
    "1234567890 !?.,;:-_()[]{} ... !!! <|> café naïve 😀😀",
]

_START, _END = "<|startoftext|>", "<|endoftext|>"


def _trained_merges() -> list[str]:
    """Lines of a merges.txt."""
    tokenizer = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"'s|'t|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"), "removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    trainer = trainers.BpeTrainer(vocab_size=400, end_of_word_suffix="</w>", show_progress=False)
    tokenizer.train_from_iterator(_CORPUS * 3, trainer)
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    return [" ".join(pair) for pair in merges]


def _token(content: str, **flags: bool) -> dict[str, Any]:
    """An added token as tokenizer_config.json spells it."""
    return {
        "__type": "AddedToken",
        "content": content,
        "lstrip": False,
        "normalized": True,
        "rstrip": False,
        "single_word": False,
        **flags,
    }


# As ModelScope's and Stable Diffusion 2's folders have it, whose padding is an exclamation mark.
_MODELSCOPE: dict[str, Any] = {
    "add_prefix_space": False,
    "bos_token": _token(_START),
    "do_lower_case": True,
    "eos_token": _token(_END),
    "errors": "replace",
    "model_max_length": 77,
    "pad_token": "!",
    "tokenizer_class": "CLIPTokenizer",
    "unk_token": _token(_END),
}


class ClipFolders:
    """Writes tokenizer folders."""

    def __init__(self) -> None:
        self.merges = _trained_merges()
        self.corpus = _CORPUS

    def config(self) -> dict[str, Any]:
        """tokenizer_config.json as ModelScope has it."""
        return copy.deepcopy(_MODELSCOPE)

    def write(self, folder: Path, config: dict[str, Any], merges: list[str] | None = None, missing: str = "") -> Path:
        """vocab.json, merges.txt and tokenizer_config.json; `missing` are letters that the vocabulary does not have."""
        merges = self.merges if merges is None else merges
        alphabet = [letter for letter in sorted(pre_tokenizers.ByteLevel.alphabet()) if letter not in missing]
        tokens = [*alphabet, *(letter + "</w>" for letter in alphabet)]
        tokens += [line.replace(" ", "") for line in merges]
        tokens += [_START, _END]
        vocabulary = {text: index for index, text in enumerate(dict.fromkeys(tokens))}
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
        (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]), encoding="utf-8")
        (folder / "tokenizer_config.json").write_text(json.dumps(config))
        return folder
