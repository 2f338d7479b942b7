"""The tokenizer folder of a diffusers model with a T5 or UMT5 text encoder, as the bundle's tokenizer.

What such a folder may hold: `spiece.model`, which is taken as it is; `tokenizer.json`, of which a SentencePiece model
is made where that file is missing (transformers 5 saves nothing else); and `tokenizer_config.json` and
`special_tokens_map.json`, which name the special tokens.
"""

from __future__ import annotations

import base64
import binascii
import math
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vidrt import _core
from vidrt.engine.errors import BundleError, InvalidArgument
from vidrt.export.sentencepiece_model import Piece, PieceType, sentencepiece_model
from vidrt.export.spec import TokenizerSpec
from vidrt.export.tokenizer_files import (
    CONFIG,
    SPECIAL_TOKENS,
    VOCABULARY,
    added_token,
    check_class,
    check_folder,
    content,
    json_object,
    list_of,
    must_be_off,
    object_of,
    short,
)

MODEL = "spiece.model"

_CLASSES = ("T5Tokenizer", "T5TokenizerFast")
_MAX_PIECES = 4_000_000


def tokenizer_spec(folder: Path, max_length: int) -> TokenizerSpec:
    """Read a folder as transformers' T5Tokenizer does, which spells nothing in bytes.

    Args:
        folder: A model's `tokenizer` folder.
        max_length: Tokens that the text encoder takes, the end marker included: 2 to 4096.

    Raises:
        InvalidArgument: The folder has no tokenizer, one of another kind, or a file that is damaged or does something
            that the core's tokenizer does not.
    """
    check_folder(folder, max_length)
    vocabulary = json_object(folder / VOCABULARY)
    config = {**json_object(folder / SPECIAL_TOKENS), **json_object(folder / CONFIG)}
    check_class(config, _CLASSES, folder / CONFIG)
    model = _model(folder, vocabulary)
    added = _added_tokens(config, vocabulary, folder)
    reader = _checked_reader(model, folder / (MODEL if (folder / MODEL).exists() else VOCABULARY))
    ids = {name: _special_id(name, config, added, reader, folder) for name in ("pad", "eos")}
    return TokenizerSpec(
        kind="sentencepiece",
        files={f"tokenizer/{MODEL}": model},
        max_length=max_length,
        pad_id=ids["pad"],
        eos_id=ids["eos"],
        unk_id=reader.unk_id,
        added_tokens={**added, **reader.special},
        byte_fallback=False,
    )


@dataclass(frozen=True)
class _Reader:
    """What the model file itself says."""

    unk_id: int
    special: Mapping[str, int]
    """Control pieces and the one for unknown text, which Hugging Face splits off a text as well."""


def _checked_reader(model: bytes, source: Path) -> _Reader:
    """Look into the model once the core has found it sound: the library alone would read outside of a damaged one."""
    from sentencepiece import SentencePieceProcessor

    with tempfile.TemporaryDirectory() as copy:
        (Path(copy) / MODEL).write_bytes(model)
        try:
            _core.load_tokenizer(copy, "sentencepiece", [MODEL], max_length=2, pad_id=0, eos_id=0)
        except BundleError as error:
            raise InvalidArgument(str(error).replace(f"{copy}/{MODEL}", str(source))) from None
    processor = SentencePieceProcessor(model_proto=model)
    special = {
        processor.id_to_piece(index): index
        for index in range(processor.get_piece_size())
        if processor.is_control(index) or processor.is_unknown(index)
    }
    return _Reader(processor.unk_id(), special)


def _model(folder: Path, vocabulary: Mapping[str, Any]) -> bytes:
    if (folder / MODEL).exists():
        return content(folder / MODEL)
    if vocabulary:
        return _model_of(vocabulary, folder / VOCABULARY)
    raise InvalidArgument(
        f"'{folder}' has neither {MODEL} nor {VOCABULARY}; expected the tokenizer folder of a diffusers model. "
        "Name the folder that holds one, or fetch the model again."
    )


def _added_tokens(config: Mapping[str, Any], vocabulary: Mapping[str, Any], folder: Path) -> dict[str, int]:
    decoder = config.get("added_tokens_decoder")
    if decoder is not None:
        where = f"'{folder / CONFIG}': added_tokens_decoder"
        if not isinstance(decoder, dict):
            raise InvalidArgument(f"{where} is {short(decoder)}, expected an object of tokens by id.")
        return dict(_added_token({**object_of(token, where), "id": index}, where) for index, token in decoder.items())
    if vocabulary:
        where = f"'{folder / VOCABULARY}': added_tokens"
        return dict(
            _added_token(object_of(token, where), where) for token in list_of(vocabulary, "added_tokens", where)
        )
    if config.get("additional_special_tokens"):
        raise InvalidArgument(
            f"'{folder}' names additional_special_tokens, but no file gives their ids; expected added_tokens_decoder "
            f"in {CONFIG}. Save the tokenizer again with transformers 4.34 or later."
        )
    return {}


def _added_token(token: Mapping[str, Any], where: str) -> tuple[str, int]:
    must_be_off(token, "normalized", where)
    return added_token(token, where)


def _special_id(name: str, config: Mapping[str, Any], added: Mapping[str, int], reader: _Reader, folder: Path) -> int:
    token = config.get(f"{name}_token", {"pad": "<pad>", "eos": "</s>"}[name])
    text = token.get("content") if isinstance(token, dict) else token
    known = {**reader.special, **added}
    if not isinstance(text, str) or text not in known:
        raise InvalidArgument(f"'{folder}': {name}_token is {short(token)}, expected one of its special tokens.")
    return known[text]


def _model_of(vocabulary: Mapping[str, Any], path: Path) -> bytes:
    where = f"'{path}'"
    model = object_of(vocabulary.get("model"), f"{where}: model")
    if model.get("type") != "Unigram":
        raise InvalidArgument(f"{where}: model.type is {short(model.get('type'))}, expected Unigram, as T5 has it.")
    _check_pre_tokenizer(vocabulary.get("pre_tokenizer"), where)
    entries = list_of(model, "vocab", f"{where}: model.vocab")
    unk_id = model.get("unk_id")
    if isinstance(unk_id, bool) or not isinstance(unk_id, int) or not 0 <= unk_id < len(entries):
        raise InvalidArgument(f"{where}: model.unk_id is {short(unk_id)}, expected the id of one of {len(entries)}.")
    if len(entries) > _MAX_PIECES:
        raise InvalidArgument(f"{where}: model.vocab has {len(entries)} tokens, expected at most {_MAX_PIECES}.")
    added = {token.get("id") for token in list_of(vocabulary, "added_tokens", where) if isinstance(token, dict)}
    pieces = []
    for index, entry in enumerate(entries):
        text, score = _vocabulary_entry(entry, f"{where}: model.vocab[{index}]")
        kind = PieceType.CONTROL if index in added else PieceType.NORMAL
        pieces.append(Piece(text, score, PieceType.UNKNOWN if index == unk_id else kind))
    return sentencepiece_model(pieces, _charsmap(vocabulary.get("normalizer"), where))


def _vocabulary_entry(entry: object, where: str) -> tuple[str, float]:
    match entry:
        case [str(text), int() | float() as score] if text and math.isfinite(score):
            try:
                text.encode()
            except UnicodeEncodeError:
                pass
            else:
                return text, float(score)
    raise InvalidArgument(f"{where} is {short(entry)}, expected a text and its score.")


def _check_pre_tokenizer(pre_tokenizer: object, where: str) -> None:
    """Words begin with U+2581, the first one as well."""
    metaspace = _metaspace(pre_tokenizer)
    prepends = metaspace.get("prepend_scheme", "always") == "always" and metaspace.get("add_prefix_space", True) is True
    if metaspace.get("replacement") != "\u2581" or not prepends:
        raise InvalidArgument(
            f"{where}: pre_tokenizer is {short(pre_tokenizer)}, expected Metaspace with U+2581 before each word."
        )


def _metaspace(pre_tokenizer: object) -> Mapping[str, Any]:
    """Its settings; nothing where it is of another kind."""
    match pre_tokenizer:
        case {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, second]}:
            return _metaspace(second)
        case {"type": "Metaspace", **settings}:
            return {str(name): value for name, value in settings.items()}
    return {}


def _charsmap(normalizer: object, where: str) -> bytes:
    match normalizer:
        case None:
            return b""
        # Behind the table only runs of spaces are made one, which sentencepiece does by itself.
        case {"type": "Sequence", "normalizers": [first, {"type": "Replace", "pattern": {"Regex": " {2,}"}}]}:
            return _charsmap(first, where)
        case {"type": "Sequence", "normalizers": [only]}:
            return _charsmap(only, where)
        case {"type": "Precompiled", "precompiled_charsmap": None}:
            return b""
        case {"type": "Precompiled", "precompiled_charsmap": str(table)}:
            try:
                return base64.b64decode(table, validate=True)
            except (binascii.Error, ValueError):
                raise InvalidArgument(f"{where}: the normalizer's table is not base64.") from None
    raise InvalidArgument(f"{where}: normalizer is {short(normalizer)}, expected Precompiled, as T5 has it.")
