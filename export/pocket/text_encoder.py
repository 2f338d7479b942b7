"""The text encoder: token ids to one vector a token."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import TextConfig


def sinusoids(positions: Tensor, width: int) -> Tensor:
    """Sinusoidal features (Vaswani et al., 2017, section 3.5).

    Args:
        positions: any shape, float32.
        width: even number of features.

    Returns:
        The shape of positions plus (width,).
    """
    half = width // 2
    rates = torch.exp(torch.arange(half, dtype=torch.float32) * (-math.log(10000.0) / half))
    angles = positions.unsqueeze(-1) * rates
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


class TextLayer(nn.Module):
    """One pre-norm transformer layer."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_attention = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.norm_mlp = nn.LayerNorm(width)
        self.expand = nn.Linear(width, 4 * width)
        self.project = nn.Linear(4 * width, width)

    def forward(self, x: Tensor, mask_bias: Tensor) -> Tensor:
        """x: (B,L,D); mask_bias: (B,1,1,L), 0 for tokens and very negative for padding."""
        b, length, width = x.shape
        qkv = self.qkv(self.norm_attention(x)).reshape(b, length, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        scores = q @ k.transpose(-1, -2) * (width // self.heads) ** -0.5 + mask_bias
        mixed = (scores.softmax(dim=-1) @ v).transpose(1, 2).reshape(b, length, width)
        x = x + self.out(mixed)
        return x + self.project(F.gelu(self.expand(self.norm_mlp(x))))


class TextEncoder(nn.Module):
    """Words to vectors. Any number of tokens; rows after the mask are zero."""

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.embedding = nn.Embedding(config.vocab_size, config.width)
        self.layers = nn.ModuleList(TextLayer(config.width, config.heads) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Encode.

        Args:
            input_ids: (B,L) int64.
            attention_mask: (B,L) int64, 1 for tokens.

        Returns:
            text_embeds (B,L,D) float32.
        """
        x = self.embedding(input_ids)
        positions = torch.arange(input_ids.shape[1], dtype=torch.float32)
        x = x + 0.1 * sinusoids(positions, x.shape[-1])
        keep = attention_mask.to(x.dtype)
        mask_bias = (keep - 1.0).unsqueeze(1).unsqueeze(1) * 1e4
        for layer in self.layers:
            x = layer(x, mask_bias)
        return self.norm(x) * keep.unsqueeze(-1)
