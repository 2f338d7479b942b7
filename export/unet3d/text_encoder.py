"""The text encoder: transformers' CLIPTextModel, whose layers are traced once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import CLIPTextModel
from transformers.models.clip.modeling_clip import CLIPAttention, CLIPEncoderLayer

from vidrt.export.repeated import LayerSpec, Repeated
from vidrt.export.samples import normal
from vidrt.export.spec import TensorSpec

_HIDDEN = -1e4
"""Added to the score of a token that is not seen; its weight is then exactly 0, in fp16 as well."""


class ClipTextEncoder(nn.Module):
    """Module text_encoder: input_ids (B,L), attention_mask (B,L) int64 -> text_embeds (B,L,D), after the last norm.

    Args:
        model: Its weights.
        masks_padding: Whether padding is hidden, as `use_attention_mask` in the model's configuration says. Without
            it, which is the rule, padding is part of the prompt and attention_mask is not used.
    """

    def __init__(self, model: CLIPTextModel, *, masks_padding: bool) -> None:
        super().__init__()
        # Not the embeddings' own forward: the positions' numbers that it keeps are in no file of weights.
        self.token_embedding = model.embeddings.token_embedding
        self.position_embedding = model.embeddings.position_embedding
        layers = cast(Iterable[CLIPEncoderLayer], model.encoder.layers)
        self.layers = Repeated(
            (ClipLayer(layer) for layer in layers),
            _layer_spec(model.config.hidden_size, masks_padding=masks_padding),
        )
        self.final_layer_norm = model.final_layer_norm
        self.masks_padding = masks_padding

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Encode prompts."""
        places = torch.arange(input_ids.shape[1], device=input_ids.device)
        seen = places[:, None] >= places[None, :]
        if self.masks_padding:
            seen = seen & attention_mask[:, None, None, :].bool()
        scores = torch.where(seen, 0.0, _HIDDEN)
        x = self.token_embedding(input_ids) + self.position_embedding(places)
        embeds: Tensor = self.final_layer_norm(self.layers(x, scores))
        return embeds


class ClipLayer(nn.Module):
    """One layer: x (B,L,D) and what is added to scores, (L,L) or (B,1,L,L) -> (B,L,D).

    Args:
        layer: Its weights.
    """

    def __init__(self, layer: CLIPEncoderLayer) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor, scores: Tensor) -> Tensor:
        """Attention and feed-forward, each behind a norm and added to what it was given."""
        layer = self.layer
        x = x + _attention(layer.self_attn, layer.layer_norm1(x), scores)
        result: Tensor = x + layer.mlp(layer.layer_norm2(x))
        return result


def _attention(layer: CLIPAttention, x: Tensor, scores: Tensor) -> Tensor:
    query, key, value = (
        project(x).unflatten(2, (layer.num_heads, -1)).transpose(1, 2)
        for project in (layer.q_proj, layer.k_proj, layer.v_proj)
    )
    mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=scores)
    result: Tensor = layer.out_proj(mixed.transpose(1, 2).flatten(2))
    return result


def _layer_spec(width: int, *, masks_padding: bool) -> LayerSpec:
    scores: tuple[int | str, ...] = ("B", 1, "L", "L") if masks_padding else ("L", "L")
    inputs = (
        TensorSpec("x", "float32", ("B", "L", width), normal),
        TensorSpec("scores", "float32", scores, normal),
    )
    return LayerSpec(inputs, {"B": 2, "L": 7})
