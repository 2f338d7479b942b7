"""The text encoder: transformers' UMT5EncoderModel, whose rows after the prompt's end are zero."""

from __future__ import annotations

from torch import Tensor, nn
from transformers import UMT5EncoderModel


class WanTextEncoder(nn.Module):
    """Module text_encoder: input_ids (B,L), attention_mask (B,L) int64 -> text_embeds (B,L,D)."""

    def __init__(self, model: UMT5EncoderModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Encode prompts."""
        embeds: Tensor = self.model(input_ids, attention_mask).last_hidden_state
        # Wan's pipelines cut each prompt's rows off at its length and pad with zeros.
        return embeds * attention_mask.unsqueeze(-1)
