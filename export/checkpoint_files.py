"""Weights of checkpoints that are too large to read: safetensors files, in shards or not, mapped into a module."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from safetensors import safe_open
from torch import Tensor, nn

from vidrt.engine.errors import InvalidArgument

MAX_JSON_BYTES = 2**26
"""Of a configuration or an index; those of published models have under 1 MB."""

_FLOATS = ("F32", "F16", "BF16")
_SHOWN = 4

Rename = Callable[[str], str | None]
Value = TypeVar("Value")


def read_json(path: Path) -> dict[str, Any]:
    """An object from a file of a checkpoint.

    Raises:
        InvalidArgument: The file is missing, too large, or no JSON object.
    """
    try:
        if path.stat().st_size > MAX_JSON_BYTES:
            raise InvalidArgument(f"{path} has {path.stat().st_size} bytes, expected at most {MAX_JSON_BYTES}.")
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InvalidArgument(f"{path} cannot be read: {reason}. Is the checkpoint's folder complete?") from error
    if not isinstance(content, dict):
        raise InvalidArgument(f"{path} holds {type(content).__name__}, expected a JSON object.")
    return content


def map_weights(
    module: nn.Module, folder: Path, stem: str, variant: str | None = None, rename: Rename = lambda name: name
) -> None:
    """Give a module on the meta device the weights of a folder, without reading them.

    All headers are checked against the module before any weight is touched. The tensors keep the files' dtypes.

    Args:
        module: Built on the meta device; its weights' names and shapes are what the files must hold.
        folder: Holds `<stem>.safetensors`, or `<stem>.safetensors.index.json` and the shards that it names.
        stem: "diffusion_pytorch_model" of diffusers' models, "model" of those of transformers.
        variant: A word in the files' names, as fp16 in `<stem>.fp16.safetensors`.
        rename: What the module calls a tensor of the files; None for one that it does not have.

    Raises:
        InvalidArgument: A file is missing or damaged, or holds other weights than the module's.
    """
    stem = stem if variant is None else f"{stem}.{variant}"
    stored = {name: entry for path in _files(folder, stem) for name, entry in _header(path).items()}
    entries = _renamed(stored, rename)
    expected = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    tied = _tied(module)
    _check(entries, expected, tied, folder)
    paths = {entry.path: None for entry in entries.values()}
    tensors = _renamed({name: tensor for path in paths for name, tensor in _map(path)}, rename)
    for names in tied:
        given = next(tensors[name] for name in names if name in tensors)
        tensors.update(dict.fromkeys(names, given))
    module.load_state_dict(tensors, strict=True, assign=True)


def _renamed(stored: Mapping[str, Value], rename: Rename) -> dict[str, Value]:
    return {name: value for found, value in stored.items() if (name := rename(found)) is not None}


@dataclasses.dataclass(frozen=True)
class _Entry:
    """What a file's header says of a tensor."""

    path: Path
    dtype: str
    shape: tuple[int, ...]


def _map(path: Path) -> list[tuple[str, Tensor]]:
    """The tensors of a file by name, over the mapped file."""
    with safe_open(path, framework="pt") as file:
        return [(name, file.get_tensor(name)) for name in file.keys()]  # noqa: SIM118


def _files(folder: Path, stem: str) -> list[Path]:
    single, index = folder / f"{stem}.safetensors", folder / f"{stem}.safetensors.index.json"
    if single.is_file():
        return [single]
    if not index.is_file():
        raise InvalidArgument(
            f"{folder} has neither {single.name} nor {index.name}; expected the weights in one of these forms (pickled "
            "ones are not read). Download the folder again, or name the weights' variant with --weights-variant."
        )
    places = read_json(index).get("weight_map")
    if not isinstance(places, dict) or not all(isinstance(name, str) for name in places.values()):
        raise InvalidArgument(f"{index} has no weight_map of tensors to file names. The file is damaged.")
    names = sorted(set(places.values()))
    outside = [name for name in names if Path(name).name != name]
    if outside:
        raise InvalidArgument(f"{index} names the file {outside[0]!r}, expected one of its own folder.")
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise InvalidArgument(
            f"{folder} lacks {len(missing)} of its {len(names)} shards: {some_names(missing)}. Download them."
        )
    return [folder / name for name in names]


def _header(path: Path) -> dict[str, _Entry]:
    try:
        with safe_open(path, framework="pt") as file:
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
            return {name: _Entry(path, part.get_dtype(), tuple(part.get_shape())) for name, part in slices.items()}
    except Exception as error:  # the library's error is no public class, and hostile files raise others
        raise InvalidArgument(f"{path} is damaged: {error}. Download it again.") from error


def _tied(module: nn.Module) -> list[list[str]]:
    """The names of each weight of a module: several where layers share one."""
    names: dict[int, list[str]] = {}
    for name, tensor in module.state_dict(keep_vars=True).items():
        names.setdefault(id(tensor), []).append(name)
    return list(names.values())


def _check(
    entries: Mapping[str, _Entry], expected: Mapping[str, tuple[int, ...]], tied: list[list[str]], folder: Path
) -> None:
    """Compare what files hold with what a module has; a weight of several names may be stored under any of them."""
    missing = [names[0] for names in tied if not any(name in entries for name in names)]
    unexpected = [name for name in entries if name not in expected]
    reshaped = [
        f"{name} {list(entries[name].shape)} instead of {list(shape)}"
        for name, shape in expected.items()
        if name in entries and entries[name].shape != shape
    ]
    odd = [f"{name} ({entry.dtype})" for name, entry in entries.items() if entry.dtype not in _FLOATS]
    faults = (
        ("missing", missing),
        ("unknown", unexpected),
        ("of another shape", reshaped),
        (f"of a dtype other than {', '.join(_FLOATS)}", odd),
    )
    found = [f"{len(names)} {what}: {some_names(names)}" for what, names in faults if names]
    if found:
        raise InvalidArgument(
            f"{folder} does not hold the weights that its config.json describes: {'; '.join(found)}. The folder is "
            "incomplete, or the files belong to another model."
        )


def some_names(names: list[str]) -> str:
    """The first of them, and how many more there are."""
    rest = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")
