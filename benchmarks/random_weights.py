"""Random weights for networks of published sizes, written weight by weight: memory holds a shard at most."""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}
_SHARD_BYTES = 4 << 30
_T5_HEAD_SIZE = 64
"""d_kv of all published T5 models."""


def write_weights(model: nn.Module, folder: Path, stem: str, dtype: torch.dtype) -> None:
    """Write a folder of shards as save_pretrained() does.

    Args:
        model: Of which names and shapes are taken; it may lie on the meta device.
        folder: To be made.
        stem: "model" of transformers' models, "diffusion_pytorch_model" of diffusers'.
        dtype: Of all weights.
    """
    folder.mkdir()
    places: dict[str, str] = {}
    shard: dict[str, Tensor] = {}

    def flush() -> None:
        name = f"{stem}-{len(set(places.values())) + 1:05d}.safetensors"
        save_file(shard, folder / name)
        places.update(dict.fromkeys(shard, name))
        shard.clear()

    for name, tensor in _distinct(model):
        shard[name] = _random(name, tensor.shape, dtype)
        if sum(one.nbytes for one in shard.values()) > _SHARD_BYTES:
            flush()
    if shard:
        flush()
    (folder / f"{stem}.safetensors.index.json").write_text(json.dumps({"weight_map": places}))


def _distinct(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Weights by name, tied ones once."""
    seen = set()
    for name, tensor in model.state_dict(keep_vars=True).items():
        if id(tensor) not in seen:
            seen.add(id(tensor))
            yield name, tensor


def _random(name: str, shape: torch.Size, dtype: torch.dtype) -> Tensor:
    """Of a scale that keeps activations about as large from layer to layer; the same for the same name."""
    if name.endswith("gamma") or ("norm" in name and name.endswith("weight")):
        return torch.ones(shape, dtype=dtype)
    if len(shape) < 2:
        return torch.zeros(shape, dtype=dtype)
    generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
    scale = 1.0 / math.sqrt(math.prod(shape[1:]))
    if name.endswith("SelfAttention.q.weight"):
        # T5 does not divide its scores by sqrt(64): its initialisation does (transformers, UMT5PreTrainedModel). Scores
        # of a deviation of 8 make every attention a choice of one token, which rounding turns to another.
        scale /= math.sqrt(_T5_HEAD_SIZE)
    weight = torch.empty(shape, dtype=dtype)
    flat = weight.view(-1)
    for start in range(0, len(flat), 1 << 26):  # a float32 copy of a part at a time
        part = flat[start : start + (1 << 26)]
        part.copy_(torch.randn(len(part), generator=generator) * scale)
    return weight
