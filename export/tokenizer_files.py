"""The files of a model's `tokenizer` folder, which come from outside: every fault is one line that names it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vidrt import _core
from vidrt.engine.errors import InvalidArgument
from vidrt.export.spec import TokenizerSpec

VOCABULARY = "tokenizer.json"
CONFIG = "tokenizer_config.json"
SPECIAL_TOKENS = "special_tokens_map.json"

MAX_TOKENS = 4096
"""Tokens of a prompt that a bundle may have."""

_MAX_BYTES = 64 << 20
_MAX_ID = 2**31 - 1


def write_files(spec: TokenizerSpec, root: Path) -> None:
    """Write a tokenizer's files to a folder that is there, as a bundle has them. Raises OSError."""
    for path, file in spec.files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(file)


def core_tokenizer(spec: TokenizerSpec, root: Path) -> _core.Tokenizer:
    """The core's tokenizer of a declaration, whose files are written to a folder for it to read.

    Raises:
        BundleError: The core refuses the files.
        OSError: The disk refuses.
    """
    write_files(spec, root)
    return _core.load_tokenizer(
        root,
        spec.kind,
        list(spec.files),
        max_length=spec.max_length,
        pad_id=spec.pad_id,
        eos_id=spec.eos_id,
        unk_id=spec.unk_id,
        bos_id=spec.bos_id,
        added_tokens=dict(spec.added_tokens),
        normalized_added_tokens=dict(spec.normalized_added_tokens),
        byte_fallback=spec.byte_fallback,
    )


def check_folder(folder: Path, max_length: int) -> None:
    """Raise InvalidArgument for what is no folder, and for a length that no bundle has."""
    if not 2 <= max_length <= MAX_TOKENS:
        raise InvalidArgument(f"max_length is {max_length}, expected 2 to {MAX_TOKENS} tokens.")
    if not folder.is_dir():
        raise InvalidArgument(f"'{folder}' is no folder; expected the tokenizer folder of a diffusers model.")


def check_class(config: Mapping[str, Any], classes: tuple[str, ...], path: Path) -> None:
    """Raise InvalidArgument for the tokenizer of another class; a config without one is of the first."""
    name = config.get("tokenizer_class", classes[0])
    if name not in classes:
        raise InvalidArgument(f"'{path}': tokenizer_class is {short(name)}, expected one of {', '.join(classes)}.")


def added_token(token: Mapping[str, Any], where: str) -> tuple[str, int]:
    """The text and id of an entry of added_tokens. Stripping beside it is nothing here: white space ends a word anyway.

    Raises:
        InvalidArgument: It has no text or id, or is found only between words.
    """
    text, index = token.get("content"), token.get("id")
    if isinstance(index, str) and index.isascii() and index.isdecimal() and len(index) < 11:
        index = int(index)
    if not isinstance(text, str) or not text or isinstance(index, bool) or not isinstance(index, int):
        raise InvalidArgument(f"{where}: got {short(token)}, expected a content and an id.")
    if not 0 <= index <= _MAX_ID:
        raise InvalidArgument(f"{where}: the id of {short(text)} is {index}, expected 0 to {_MAX_ID}.")
    must_be_off(token, "single_word", where)
    return text, index


def must_be_off(token: Mapping[str, Any], flag: str, where: str) -> None:
    """Raise InvalidArgument where an added token has a flag."""
    if token.get(flag) not in (None, False):
        raise InvalidArgument(
            f"{where}: {short(token.get('content'))} has {flag} {short(token[flag])}, expected false: vidrt splits "
            "tokens off wherever their text stands as it is written."
        )


def content(path: Path) -> bytes:
    """All of a file. Raises InvalidArgument where it cannot be read or is larger than any tokenizer's."""
    try:
        with path.open("rb") as file:
            read = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise InvalidArgument(f"'{path}' cannot be read: {error.strerror}.") from None
    if len(read) > _MAX_BYTES:
        raise InvalidArgument(f"'{path}' has more than {_MAX_BYTES >> 20} MiB, more than any tokenizer's file has.")
    return read


def json_object(path: Path) -> dict[str, Any]:
    """A JSON file, or nothing where there is none."""
    if not path.exists():
        return {}
    try:
        value = json.loads(content(path))
    except (ValueError, RecursionError) as error:
        raise InvalidArgument(f"'{path}' is no JSON: {error}. Fetch the model again.") from None
    return object_of(value, f"'{path}'")


def object_of(value: object, where: str) -> dict[str, Any]:
    """The value, where it is an object."""
    if not isinstance(value, dict):
        raise InvalidArgument(f"{where} is {short(value)}, expected an object.")
    return value


def list_of(values: Mapping[str, Any], key: str, where: str) -> list[Any]:
    """The list under a key, empty where there is none."""
    value = values.get(key, [])
    if not isinstance(value, list):
        raise InvalidArgument(f"{where} is {short(value)}, expected a list.")
    return value


def short(value: object) -> str:
    """A value for a message, cut where it is long."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
