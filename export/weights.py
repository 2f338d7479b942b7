"""The weights of a bundle: one safetensors file that ONNX graphs refer to as external data.

The file keeps the networks' own names, so that a safetensors reader gives the checkpoint back, and its name is its
content's hash, so that equal weights are equal files.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from vidrt.export.errors import ExportError
from vidrt.export.spec import Precision

FOLDER = "weights"
STORAGE_DTYPES: Mapping[Precision, torch.dtype] = {
    "fp32": torch.float32,
    "fp16": torch.float16,
    "bf16": torch.bfloat16,
}

_SAFETENSORS_DTYPES = {
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.uint8: "U8",
    torch.int8: "I8",
    torch.bool: "BOOL",
}
_PRECISIONS = {dtype: precision for precision, dtype in STORAGE_DTYPES.items()}
_REMEDY = "choose a wider storage"
# Tensors whose size divides by it lie at multiples of it: SIMD loads and memory maps want no less.
_ALIGNMENT = 64


@dataclasses.dataclass(frozen=True)
class Weight:
    """A tensor and the dtype it is stored in. A constant may hold infinities, as masks do."""

    tensor: Tensor
    dtype: torch.dtype
    constant: bool = False


@dataclasses.dataclass(frozen=True)
class StoredTensor:
    """Where a tensor lies: `length` bytes from `offset` of the file."""

    dtype: torch.dtype
    shape: tuple[int, ...]
    offset: int
    length: int


@dataclasses.dataclass(frozen=True)
class DataFile:
    """A written file: its path in the bundle, size and hash."""

    path: str
    bytes: int
    sha256: str


@dataclasses.dataclass(frozen=True)
class WeightFile(DataFile):
    """A written file and what is where in it."""

    tensors: Mapping[str, StoredTensor]


def named_weights(networks: Mapping[str, nn.Module], storage: Precision) -> dict[str, Weight]:
    """Parameters and buffers by the name they are stored under; tied ones once, under their first name."""
    named: dict[str, Weight] = {}
    seen = set()
    for prefix, network in networks.items():
        for name, tensor in network.state_dict().items():
            if _identity(tensor) not in seen:
                seen.add(_identity(tensor))
                dtype = STORAGE_DTYPES[storage] if tensor.is_floating_point() else tensor.dtype
                named[f"{prefix}.{name}"] = Weight(tensor, dtype)
    return named


def stored_names(module: nn.Module, weights: Mapping[str, Weight]) -> dict[str, str]:
    """The stored name of each parameter and buffer of a module that shares its tensors with the networks.

    Raises:
        ExportError: The module has one of its own.
    """
    by_identity = {_identity(weight.tensor): name for name, weight in weights.items()}
    names = {}
    for name, tensor in module.state_dict().items():
        if _identity(tensor) not in by_identity:
            raise ExportError(f"{type(module).__name__} has the weight {name!r}, which is none of the networks'.")
        names[name] = by_identity[_identity(tensor)]
    return names


def write_weights(root: Path, weights: Mapping[str, Weight], remedy: str = _REMEDY) -> WeightFile:
    """Write `<root>/weights/<hash>.safetensors`.

    Args:
        root: The bundle's folder.
        weights: What to write, in which dtype.
        remedy: What to do about a weight that its dtype cannot hold.

    Raises:
        ExportError: A value is too large for the dtype, or not finite; or safetensors has no word for the dtype.
        OSError: The file cannot be written.
    """
    # The format allows no gaps: odd sizes come last, so that they move nothing else off its alignment.
    order = sorted(weights, key=lambda name: (_stored_bytes(weights[name]) % _ALIGNMENT != 0, name))
    header, layout = _layout({name: weights[name] for name in order})
    folder = root / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    unnamed = folder / "unnamed.safetensors"
    digest = hashlib.sha256(header)
    with unnamed.open("wb") as file:
        file.write(header)
        for name in order:  # one at a time: a converted copy of all weights would double the memory of an export
            content = _content(name, weights[name], remedy)
            digest.update(content)
            file.write(content)
    path = f"{FOLDER}/{digest.hexdigest()[:16]}.safetensors"
    unnamed.replace(root / path)
    return WeightFile(path, (root / path).stat().st_size, digest.hexdigest(), layout)


def _identity(tensor: Tensor) -> tuple[int, torch.Size, tuple[int, ...], torch.dtype]:
    return tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype


def _stored_bytes(weight: Weight) -> int:
    return weight.tensor.numel() * weight.dtype.itemsize


def _content(name: str, weight: Weight, remedy: str) -> memoryview:
    flat = weight.tensor.detach().to("cpu", weight.dtype).contiguous().flatten()
    if not weight.constant and flat.is_floating_point() and not bool(flat.isfinite().all()):
        raise ExportError(
            f"the weight {name} holds the value {float(weight.tensor.abs().max()):g}, which "
            f"{_PRECISIONS[weight.dtype]} cannot hold; {remedy}."
        )
    # numpy has no bfloat16, so bytes are what crosses over.
    return flat.view(torch.uint8).numpy().data


def _layout(weights: Mapping[str, Weight]) -> tuple[bytes, dict[str, StoredTensor]]:
    """The file's first bytes (8 of length, then JSON) and where each tensor comes to lie."""
    entries = {}
    spans = {}
    end = 0
    for name, weight in weights.items():
        if weight.dtype not in _SAFETENSORS_DTYPES:
            raise ExportError(f"the weight {name} is {weight.dtype}, which safetensors files cannot hold.")
        start, end = end, end + _stored_bytes(weight)
        dtype = _SAFETENSORS_DTYPES[weight.dtype]
        entries[name] = {"dtype": dtype, "shape": list(weight.tensor.shape), "data_offsets": [start, end]}
        spans[name] = (start, end - start)
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-(8 + len(text)) % _ALIGNMENT)
    header = len(text).to_bytes(8, "little") + text
    return header, {
        name: StoredTensor(weight.dtype, tuple(weight.tensor.shape), len(header) + spans[name][0], spans[name][1])
        for name, weight in weights.items()
    }
