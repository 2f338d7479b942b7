"""The text encoder: transformers' UMT5EncoderModel, whose rows after the prompt's end are zero."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import UMT5EncoderModel

from vidrt.export.repeated import LayerSpec, Repeated
from vidrt.export.samples import normal
from vidrt.export.spec import TensorSpec


class WanTextEncoder(nn.Module):
    """Module text_encoder: input_ids (B,L), attention_mask (B,L) int64 -> text_embeds (B,L,D)."""

    def __init__(self, model: UMT5EncoderModel) -> None:
        super().__init__()
        encoder = model.encoder
        self.embed_tokens = encoder.embed_tokens
        self.layers = Repeated((UMT5Layer(block) for block in encoder.block), _layer_spec(model.config))
        self.final_layer_norm = encoder.final_layer_norm

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Encode prompts, each of which has a token at least."""
        x = self.embed_tokens(input_ids)
        ignored = torch.where(attention_mask[:, None, None, :] > 0, 0.0, torch.finfo(x.dtype).min)
        embeds: Tensor = self.final_layer_norm(self.layers(x, ignored))
        # Wan's pipelines cut each prompt's rows off at its length and pad with zeros.
        return embeds * attention_mask.unsqueeze(-1)


class UMT5Layer(nn.Module):
    """A layer of the encoder, with the biases of relative positions that are its own."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block = block

    def forward(self, x: Tensor, ignored: Tensor) -> Tensor:
        """X (B,L,D), ignored (B,1,1,L), which is added to the scores -> (B,L,D)."""
        result: Tensor = self.block(x, ignored)
        return result


def _layer_spec(config: Any) -> LayerSpec:
    inputs = (
        TensorSpec("x", "float32", ("B", "L", config.d_model), normal),
        TensorSpec("ignored", "float32", ("B", 1, 1, "L"), normal),
    )
    return LayerSpec(inputs, {"B": 2, "L": 7})
