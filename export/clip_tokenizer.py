"""The tokenizer folder of a diffusers model with a CLIP text encoder, as the bundle's tokenizer of kind clip_bpe.

What such a folder may hold: `vocab.json` and `merges.txt`, or `tokenizer.json`, which transformers 5 saves instead and
reads first; `tokenizer_config.json`, and `special_tokens_map.json` of older versions, which name the special tokens.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vidrt.engine.errors import BundleError, InvalidArgument
from vidrt.export.spec import TokenizerSpec
from vidrt.export.tokenizer_files import (
    CONFIG,
    SPECIAL_TOKENS,
    VOCABULARY,
    added_token,
    check_class,
    check_folder,
    content,
    core_tokenizer,
    json_object,
    list_of,
    object_of,
    short,
)

TOKENS = "vocab.json"
MERGES = "merges.txt"

_CLASSES = ("CLIPTokenizer", "CLIPTokenizerFast")
_START, _END = "<|startoftext|>", "<|endoftext|>"
_NAMED = {"bos_token": _START, "eos_token": _END, "unk_token": _END, "pad_token": _END}
"""The special tokens of CLIPTokenizer, in the order of its class, and what they are where a folder does not say."""

_MORE_TOKENS = ("additional_special_tokens", "extra_special_tokens")
_ONLY: dict[str, tuple[object, ...]] = {
    "add_prefix_space": (False,),
    "do_lower_case": (True,),
    "padding_side": ("right",),
    "truncation_side": ("right",),
    "split_special_tokens": (False,),
    "pad_to_multiple_of": (None,),
    "stride": (0,),
}
"""Settings that change ids, in the one form that the core has. All may be left out."""

_IGNORED = {
    *("added_tokens_decoder", "model_max_length", "tokenizer_class", "processor_class", "special_tokens_map_file"),
    *("errors", "clean_up_tokenization_spaces", "name_or_path", "backend", "is_local", "local_files_only", "use_fast"),
    *("max_length", "truncation_strategy", "pad_token_type_id", "tokenizer_file", "init_inputs", "model_input_names"),
}
"""Settings that are read elsewhere here, or change nothing of the ids."""

_MODEL: dict[str, tuple[object, ...]] = {
    "type": ("BPE",),
    "dropout": (None,),
    "continuing_subword_prefix": ("", None),
    "end_of_word_suffix": ("</w>",),
    "fuse_unk": (False,),
    "byte_fallback": (False,),
    "ignore_merges": (False,),
}
"""What the model of a tokenizer.json must say, where it says anything."""


def clip_tokenizer_spec(folder: Path) -> TokenizerSpec:
    """Read a folder as transformers' CLIPTokenizer of version 5 does; prompts have the config's model_max_length.

    Args:
        folder: A model's `tokenizer` folder.

    Raises:
        InvalidArgument: The folder has no tokenizer, one of another kind, or a file that is damaged or says something
            that the core's tokenizer does not do.
    """
    config = json_object(folder / CONFIG)
    check_folder(folder, _max_length(config, folder / CONFIG))
    vocabulary = json_object(folder / VOCABULARY)
    check_class(config, _CLASSES, folder / CONFIG)
    if (folder / "added_tokens.json").exists() and "added_tokens_decoder" not in config:
        raise InvalidArgument(
            f"'{folder / 'added_tokens.json'}' is not read; expected added_tokens_decoder in {CONFIG}. Save the "
            "tokenizer again with transformers 4.34 or later."
        )
    if "added_tokens_decoder" not in config:
        config = {**config, **json_object(folder / SPECIAL_TOKENS)}
    _check_settings(config, folder / CONFIG)
    files = _files_of(vocabulary, folder / VOCABULARY) if vocabulary else _files(folder)
    ids = _ids(files, folder / (VOCABULARY if vocabulary else TOKENS))
    added = _added_tokens(config, vocabulary, ids, folder)
    special = {name: ids[_named(config.get(name, text), name)[0]] for name, text in _NAMED.items()}
    spec = TokenizerSpec(
        kind="clip_bpe",
        files={f"tokenizer/{name}": file for name, file in files.items()},
        max_length=_max_length(config, folder / CONFIG),
        pad_id=special["pad_token"],
        eos_id=special["eos_token"],
        unk_id=special["unk_token"],
        bos_id=special["bos_token"],
        added_tokens={text: ids[text] for text, normalized in added.items() if not normalized},
        normalized_added_tokens={text: ids[text] for text, normalized in added.items() if normalized},
    )
    _check_with_core(spec, folder)
    return spec


def _max_length(config: Mapping[str, Any], path: Path) -> int:
    length = config.get("model_max_length")
    if isinstance(length, bool) or not isinstance(length, int):
        raise InvalidArgument(f"'{path}': model_max_length is {short(length)}, expected the tokens of a prompt, as 77.")
    return length


def _check_settings(config: Mapping[str, Any], path: Path) -> None:
    for name, value in config.items():
        if name in _ONLY:
            if json.dumps(value) not in map(json.dumps, _ONLY[name]):
                raise InvalidArgument(f"'{path}': {name} is {short(value)}, expected {_ONLY[name][0]!r}.")
        elif name not in _NAMED and name not in _MORE_TOKENS and name not in _IGNORED:
            raise InvalidArgument(
                f"'{path}': the setting {short(name)} is not known to this version of vidrt. Take it out if it does "
                "not change token ids, or update vidrt."
            )


def _files(folder: Path) -> dict[str, bytes]:
    for name in (TOKENS, MERGES):
        if not (folder / name).exists():
            raise InvalidArgument(
                f"'{folder}' has neither {VOCABULARY} nor {name}; expected the tokenizer folder of a diffusers model "
                "with a CLIP text encoder. Name the folder that holds one, or fetch the model again."
            )
    return {name: content(folder / name) for name in (TOKENS, MERGES)}


def _files_of(vocabulary: Mapping[str, Any], path: Path) -> dict[str, bytes]:
    """What transformers takes of a tokenizer.json: the model; the rest is the class's own."""
    where = f"'{path}': model"
    model = object_of(vocabulary.get("model"), where)
    for name, known in _MODEL.items():
        if name in model and model[name] not in known:
            raise InvalidArgument(f"{where}.{name} is {short(model[name])}, expected {known[0]!r}, as CLIP has it.")
    tokens = object_of(model.get("vocab"), f"{where}.vocab")
    merges = [_merge(entry, f"{where}.merges") for entry in list_of(model, "merges", f"{where}.merges")]
    try:
        return {
            TOKENS: json.dumps(tokens, ensure_ascii=False).encode(),
            MERGES: "".join(f"{left} {right}\n" for left, right in merges).encode(),
        }
    except UnicodeEncodeError:
        raise InvalidArgument(
            f"{where}: a token holds half a character (a surrogate). Fetch the model again."
        ) from None


def _merge(entry: object, where: str) -> tuple[str, str]:
    parts = entry.split(" ") if isinstance(entry, str) else entry
    match parts:
        case [str(left), str(right)] if not {" ", "\n", "\r"} & {*left, *right}:
            return left, right
    raise InvalidArgument(f"{where}: got {short(entry)}, expected two tokens.")


def _ids(files: Mapping[str, bytes], path: Path) -> dict[str, int]:
    try:
        tokens = object_of(json.loads(files[TOKENS]), f"'{path}'")
    except (ValueError, RecursionError) as error:
        raise InvalidArgument(f"'{path}' is no JSON: {error}. Fetch the model again.") from None
    for token, index in tokens.items():
        if isinstance(index, bool) or not isinstance(index, int):
            raise InvalidArgument(f"'{path}': the id of {short(token)} is {short(index)}, expected a number.")
    return tokens


def _added_tokens(
    config: Mapping[str, Any], vocabulary: Mapping[str, Any], ids: Mapping[str, int], folder: Path
) -> dict[str, bool]:
    """Their texts, and whether they are split off the normalised text and not the text as it is written."""
    listed: dict[str, bool] = {}
    for entry, where in _listed(config, vocabulary, folder):
        text, index = added_token(entry, where)
        if ids.get(text) != index:
            raise InvalidArgument(
                f"{where}: {short(text)} has the id {index}, but the vocabulary has {ids.get(text)} for it; expected a "
                "token of the vocabulary, because the text encoder has weights for no other."
            )
        listed[text] = _flag(entry, where)
    named = [(config.get(name, default), name) for name, default in _NAMED.items()]
    for name in _MORE_TOKENS:
        named += [(value, name) for value in list_of(config, name, f"'{folder / CONFIG}': {name}")]
    # Where several names stand for one text and say different things, transformers takes the last.
    found = dict(_named(value, f"'{folder / CONFIG}': {name}") for value, name in named)
    for text in found:
        if text not in ids:
            raise InvalidArgument(
                f"'{folder}': the special token {short(text)} is not in the vocabulary; expected one that the text "
                "encoder has weights for."
            )
    return {**found, **listed}


def _listed(config: Mapping[str, Any], vocabulary: Mapping[str, Any], folder: Path) -> list[tuple[dict[str, Any], str]]:
    """The entries that give added tokens with their ids, and where they stand."""
    if "added_tokens_decoder" in config:
        where = f"'{folder / CONFIG}': added_tokens_decoder"
        decoder = object_of(config["added_tokens_decoder"], where)
        return [({**object_of(token, where), "id": index}, where) for index, token in decoder.items()]
    where = f"'{folder / VOCABULARY}': added_tokens"
    return [(object_of(token, where), where) for token in list_of(vocabulary, "added_tokens", where)]


def _named(token: object, where: str) -> tuple[str, bool]:
    """A special token: a text, which is split off as it is written, or an object that says more."""
    if isinstance(token, str) and token:
        return token, False
    entry = object_of(token, where)
    text, _ = added_token({**entry, "id": 0}, where)
    return text, _flag(entry, where)


def _flag(entry: Mapping[str, Any], where: str) -> bool:
    """`normalized`, which transformers takes for this or that by itself where it is missing."""
    flag = entry.get("normalized")
    if not isinstance(flag, bool):
        raise InvalidArgument(
            f"{where}: {short(entry.get('content'))} has normalized {short(flag)}, expected a boolean."
        )
    return flag


def _check_with_core(spec: TokenizerSpec, folder: Path) -> None:
    """The core reads the files as it will from the bundle, and says what is wrong with them."""
    with tempfile.TemporaryDirectory() as copy:
        try:
            core_tokenizer(spec, Path(copy))
        except BundleError as error:
            raise InvalidArgument(str(error).replace(f"{copy}/tokenizer", str(folder))) from None
