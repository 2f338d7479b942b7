"""Attention and rotations, in ONNX's own operators for every runtime, and in ONNX Runtime's for a processor."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from .rotary import rotate


class Operators(Protocol):
    """How a graph writes what runtimes have operators of their own for."""

    def rotate(self, x: Tensor, tables: tuple[Tensor, Tensor], heads: int) -> Tensor:
        """Rotary position embeddings of x (B,S,heads * size) by tables (T,S/T,size/2)."""

    def attention(self, query: Tensor, key: Tensor, value: Tensor, heads: int, bias: Tensor | None = None) -> Tensor:
        """Softmax(query key^T / sqrt(size) + bias) value, each (B,S,heads * size); of query's shape.

        `bias` is (B,1,S,keys).
        """


class PlainOperators:
    """MatMul, Softmax, MatMul, which TensorRT fuses in fp16 and bf16. It is what PyTorch computes as well."""

    def rotate(self, x: Tensor, tables: tuple[Tensor, Tensor], heads: int) -> Tensor:
        """As Operators says."""
        return rotate(x.unflatten(2, (heads, -1)), tables).flatten(2)

    def attention(self, query: Tensor, key: Tensor, value: Tensor, heads: int, bias: Tensor | None = None) -> Tensor:
        """As Operators says."""
        query, key, value = (x.unflatten(2, (heads, -1)).transpose(1, 2) for x in (query, key, value))
        return F.scaled_dot_product_attention(query, key, value, bias).transpose(1, 2).flatten(2)


class ProcessorOperators:
    """ONNX Runtime's fused operators, for tracing only.

    MultiHeadAttention never holds all scores at once, and RotaryEmbedding works in place of four strided passes.
    """

    def rotate(self, x: Tensor, tables: tuple[Tensor, Tensor], heads: int) -> Tensor:
        """As Operators says."""
        positions = torch.arange(x.shape[1]).expand(x.shape[0], -1)
        return torch.onnx.ops.symbolic(
            "com.microsoft::RotaryEmbedding",
            (x, positions, *(table.flatten(0, 1) for table in tables)),
            {"interleaved": 1, "num_heads": heads},
            dtype=x.dtype,
            shape=x.shape,
            version=1,
        )

    def attention(self, query: Tensor, key: Tensor, value: Tensor, heads: int, bias: Tensor | None = None) -> Tensor:
        """As Operators says. With a bias the scores of all heads are held at once."""
        inputs = (query, key, value) if bias is None else (query, key, value, None, None, bias)
        return torch.onnx.ops.symbolic(
            "com.microsoft::MultiHeadAttention",
            inputs,
            {"num_heads": heads},
            dtype=query.dtype,
            shape=query.shape,
            version=1,
        )
