"""Scenario and result files, read as what strangers wrote."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from vidrt.engine.errors import InvalidArgument, IoError
from vidrt.engine.writers.staging import StagedFile

MOST_BYTES = 256 << 20
"""Of a file that is read; results with every run of a long bench are a thousandth of it."""

_Model = TypeVar("_Model", bound=BaseModel)


class Strict(BaseModel):
    """What all of it is made of: nothing unknown, nothing converted, no infinities, nothing changed afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def read_json(path: Path) -> dict[str, Any]:
    """Read one JSON object.

    Raises:
        IoError: The file cannot be read.
        InvalidArgument: It is no JSON object, or larger than any such file would be.
    """
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise InvalidArgument(f"{path} has {size} bytes; expected at most {MOST_BYTES}.")
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise IoError(f"cannot read {path}: {os.strerror(error.errno or 0)}.") from error
    except (ValueError, RecursionError) as error:
        raise InvalidArgument(f"{path} is not JSON: {error}.") from error
    if not isinstance(value, dict):
        raise InvalidArgument(f"{path} holds {type(value).__name__}; expected a JSON object.")
    return value


def checked(model: type[_Model], value: object, source: object) -> _Model:
    """Read plain values as a model. Raises InvalidArgument that names the first field in trouble."""
    try:
        # Through JSON text, by whose rules an array may fill a tuple although nothing else is converted.
        return model.model_validate_json(json.dumps(value))
    except ValidationError as error:
        first, *others = error.errors()
        place = ".".join(map(str, first["loc"])) or "the object"
        if first["type"] == "extra_forbidden":
            known = ", ".join(model.model_fields)
            why = "is not a known key" + (f"; expected {known}" if len(first["loc"]) == 1 else "")
        else:
            given = "" if first["type"] == "missing" else f", got {first['input']!r:.80}"
            why = first["msg"][:1].lower() + first["msg"][1:] + given
        more = f" ({len(others)} more)" if others else ""
        raise InvalidArgument(f"{source}: {place}: {why}{more}.") from error


def check_writable(path: Path) -> None:
    """Raise IoError, before any work, where a file could not be written."""
    StagedFile(path).discard()
