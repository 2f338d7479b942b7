"""The folder of a diffusers pipeline, whatever its family: its index, and its networks without memory for weights."""

from __future__ import annotations

import contextlib
import inspect
import logging
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from vidrt.engine.errors import InvalidArgument
from vidrt.export.checkpoint_files import read_json

INDEX = "model_index.json"
_LARGEST = 2**20
_MOST_LAYERS = 512
_LAYER_COUNTS = ("num_layers", "num_hidden_layers", "num_res_blocks", "layers_per_block")

Model = TypeVar("Model", bound=nn.Module)


def read_index(folder: Path, expected: str) -> dict[str, Any]:
    """A folder's model_index.json.

    Args:
        folder: As diffusers' save_pretrained() writes it.
        expected: Goes on "expected the folder of a diffusers pipeline" where there is none.

    Raises:
        InvalidArgument: There is none, or it is damaged.
    """
    path = folder / INDEX
    if not path.is_file():
        raise InvalidArgument(f"{folder} has no {INDEX}; expected the folder of a diffusers pipeline, {expected}")
    return read_json(path)


def class_of(index: Mapping[str, Any], component: str) -> object:
    """The class of a component, as ["diffusers", "AutoencoderKLWan"] says; None where there is none."""
    entry = index.get(component)
    return entry[1] if isinstance(entry, list) and len(entry) == 2 else entry


def check_classes(index: Mapping[str, Any], path: Path, classes: Mapping[str, str]) -> None:
    """Raise InvalidArgument where a component is missing or of another class than the one expected."""
    for component, expected in classes.items():
        if class_of(index, component) != expected:
            raise InvalidArgument(f"{path}: {component} is {class_of(index, component)!r}, expected {expected!r}.")


def component_files(folder: Path, components: Iterable[str]) -> tuple[Path, ...]:
    """model_index.json and all files of the components."""
    files = (path for component in components for path in (folder / component).rglob("*"))
    return (folder / INDEX, *(path for path in files if path.is_file()))


def read_scheduler(folder: Path) -> dict[str, Any]:
    """The scheduler's configuration, of a folder of its own.

    Infinity, which Python's JSON has and others' has not, is null: it is the default of DPM-Solver's
    `lambda_min_clipped`, where diffusers writes it out.

    Raises:
        InvalidArgument: The file is missing or damaged.
    """
    config = read_json(folder / "scheduler_config.json")
    return {key: None if value in (math.inf, -math.inf) else value for key, value in config.items()}


def diffusers_model(kind: type[Model], folder: Path) -> Model:
    """A model of diffusers without memory for weights, by its config.json.

    Raises:
        InvalidArgument: The file is missing, of another class, or describes no model.
    """
    path = folder / "config.json"
    config = read_json(path)
    name = config.get("_class_name", kind.__name__)
    if name != kind.__name__:
        raise InvalidArgument(f"{path} is of a {name!r}, expected {kind.__name__!r}.")
    known = set(inspect.signature(kind.__init__).parameters) - {"self"}
    given = {key: value for key, value in config.items() if not key.startswith("_")}
    unknown = sorted(set(given) - known)
    if unknown:
        raise InvalidArgument(
            f"{path} has the keys {', '.join(unknown)}, which {kind.__name__} of the installed diffusers does not "
            "know; a newer diffusers may, or the file is of another model."
        )
    check_numbers(given, path)
    return built(lambda: kind(**given), path)


def check_sizes(config: Mapping[str, Any], keys: Iterable[str], path: Path) -> None:
    """Refuse a configuration in which one of the sizes is missing, or no positive number that a model may have."""
    sizes = {key: config.get(key) for key in keys}
    for key, value in sizes.items():
        if not isinstance(value, int) or value < 1:
            raise InvalidArgument(f"{path}: {key} is {value!r}, expected a positive whole number.")
    check_numbers(sizes, path)


def check_numbers(config: Mapping[str, Any], path: Path) -> None:
    """Refuse numbers that no model has: one of them could take hours or all memory to build."""
    for key, value in config.items():
        most = _MOST_LAYERS if key in _LAYER_COUNTS else _LARGEST
        numbers = value if isinstance(value, list) else [value]
        if len(numbers) > most or any(isinstance(number, int | float) and abs(number) > most for number in numbers):
            raise InvalidArgument(f"{path}: {key} is {str(value)[:80]}, expected numbers up to {most}.")


def built(make: Callable[[], Model], path: Path) -> Model:
    """What `make` builds, on the meta device and not to be trained.

    Raises:
        InvalidArgument: It fails; `path` is what describes the model.
    """
    try:
        with torch.device("meta"), _quiet():
            return make().eval().requires_grad_(False)
    except Exception as error:  # the classes check little themselves, and fail as it comes
        raise InvalidArgument(
            f"{path} describes no model that can be built: {type(error).__name__}: {error}"
        ) from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the libraries' words on weights that are not there yet, and on ids that a toy's vocabulary lacks."""
    loggers = [logging.getLogger(name) for name in ("diffusers", "transformers")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
