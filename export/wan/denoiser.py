"""The denoiser: diffusers' WanTransformer3DModel with one timestep per latent frame."""

from __future__ import annotations

from typing import Any

from diffusers import WanTransformer3DModel
from diffusers.models.transformers.transformer_wan import WanAttention, WanTransformerBlock
from torch import Tensor, nn

from vidrt.export.repeated import LayerSpec, Repeated
from vidrt.export.samples import normal
from vidrt.export.spec import TensorSpec

from .operators import Operators
from .rotary import RotaryTables

Tables = tuple[Tensor, Tensor]


class WanDenoiser(nn.Module):
    """Module denoiser: latents (B,C,T,h,w), timestep (B,T), text_embeds (B,L,D) -> prediction (B,C,T,h,w).

    The pipelines fill text up to 512 rows with zeros, of which every layer makes equal keys and values. With
    `text_counts` (B,L) such rows are given once: softmax over n keys of which the last stands for c is
    exp(s_i) / (sum exp(s_j) + c exp(s_n)), that is, log(c) added to the score of the last.

    diffusers expands timesteps to (B,S), one a token, and computes the modulation of every token by itself: gigabytes
    at 480p. All tokens of a latent frame have the same, so that here it is computed once a frame.

    Args:
        transformer: Its weights. Patches span one latent frame, and it takes no image embeddings.
        operators: How attention and rotations are written.
        counts_text: Whether it is traced with text_counts.
    """

    def __init__(self, transformer: WanTransformer3DModel, operators: Operators, *, counts_text: bool = False) -> None:
        super().__init__()
        config = transformer.config
        self.patch_size = tuple(config.patch_size)
        self.tables = RotaryTables(config.attention_head_dim, config.rope_max_seq_len)
        self.patch_embedding = transformer.patch_embedding
        self.condition_embedder = transformer.condition_embedder
        blocks = (WanBlock(block, operators) for block in transformer.blocks)
        self.blocks = Repeated(blocks, _layer_spec(config, counts_text=counts_text))
        self.norm_out = transformer.norm_out
        self.proj_out = transformer.proj_out
        self.scale_shift_table = transformer.scale_shift_table

    def forward(
        self, latents: Tensor, timestep: Tensor, text_embeds: Tensor, text_counts: Tensor | None = None
    ) -> Tensor:
        """One call for all samples of a batch."""
        _, _, frames, height, width = latents.shape
        _, patch_height, patch_width = self.patch_size
        rows, columns = height // patch_height, width // patch_width
        tables = self.tables(frames, rows, columns)
        embedder = self.condition_embedder

        time = embedder.time_embedder(embedder.timesteps_proj(timestep.flatten())).unflatten(0, timestep.shape)
        modulation = embedder.time_proj(embedder.act_fn(time)).unflatten(2, (6, -1))
        text = embedder.text_embedder(text_embeds)
        # (B,T,h*w,D) between the layers: what belongs to a latent frame is broadcast over its tokens.
        x = self.patch_embedding(latents).flatten(3).permute(0, 2, 3, 1)
        shared = (text, modulation, *tables)
        if text_counts is not None:
            shared = (*shared, _score_bias(text_counts, frames * rows * columns))
        x = self.blocks(x, *shared)

        shift, scale = (self.scale_shift_table + time.unsqueeze(2)).chunk(2, dim=2)
        x = self.proj_out(self.norm_out(x) * (1 + scale) + shift)
        x = x.unflatten(3, (patch_height, patch_width, -1)).unflatten(2, (rows, columns))
        return x.permute(0, 6, 1, 2, 4, 3, 5).flatten(5, 6).flatten(3, 4)


class WanBlock(nn.Module):
    """A transformer block whose modulation belongs to latent frames.

    Args:
        block: Its weights.
        operators: How attention and rotations are written.
    """

    def __init__(self, block: WanTransformerBlock, operators: Operators) -> None:
        super().__init__()
        self.block = block
        self.operators = operators

    def forward(
        self,
        x: Tensor,
        text: Tensor,
        modulation: Tensor,
        cosines: Tensor,
        sines: Tensor,
        text_bias: Tensor | None = None,
    ) -> Tensor:
        """X (B,T,P,D), text (B,L,D), modulation (B,T,6,D), rotary tables (T,P,size/2) -> (B,T,P,D).

        `text_bias` (B,1,T*P,L) is added to the scores of the text.
        """
        block = self.block
        shift, scale, gate, shift_ff, scale_ff, gate_ff = (block.scale_shift_table + modulation).chunk(6, dim=2)
        y = (block.norm1(x) * (1 + scale) + shift).flatten(1, 2)
        x = x + self._attend(block.attn1, y, y, tables=(cosines, sines)).unflatten(1, x.shape[1:3]) * gate
        y = block.norm2(x).flatten(1, 2)
        x = x + self._attend(block.attn2, y, text, bias=text_bias).unflatten(1, x.shape[1:3])
        y = block.norm3(x) * (1 + scale_ff) + shift_ff
        return x + block.ffn(y) * gate_ff

    def _attend(
        self,
        layer: WanAttention,
        x: Tensor,
        context: Tensor,
        *,
        tables: Tables | None = None,
        bias: Tensor | None = None,
    ) -> Tensor:
        query, key, value = layer.norm_q(layer.to_q(x)), layer.norm_k(layer.to_k(context)), layer.to_v(context)
        if tables is not None:
            query = self.operators.rotate(query, tables, layer.heads)
            key = self.operators.rotate(key, tables, layer.heads)
        mixed = self.operators.attention(query, key, value, layer.heads, bias)
        return layer.to_out[0](mixed)


def _score_bias(text_counts: Tensor, queries: int) -> Tensor:
    """What is added to the scores of rows that stand for several, (B,L) -> (B,1,queries,L).

    One that stands for none gets what exp() makes zero of, and not -inf, which kernels subtract from each other.
    """
    bias = text_counts.log().clamp(min=-1e4)
    return bias[:, None, None, :].expand(-1, -1, queries, -1)


def _layer_spec(config: Any, *, counts_text: bool) -> LayerSpec:
    width = config.num_attention_heads * config.attention_head_dim
    tables = ("T", "P", config.attention_head_dim // 2)
    inputs: tuple[TensorSpec, ...] = (
        TensorSpec("x", "float32", ("B", "T", "P", width), normal),
        TensorSpec("text", "float32", ("B", "L", width), normal),
        TensorSpec("modulation", "float32", ("B", "T", 6, width), normal),
        TensorSpec("cosines", "float32", tables, normal),
        TensorSpec("sines", "float32", tables, normal),
    )
    if not counts_text:
        return LayerSpec(inputs, {"B": 2, "T": 3, "P": 5, "L": 7})
    bias = TensorSpec("text_bias", "float32", ("B", 1, "S", "L"), normal)
    return LayerSpec((*inputs, bias), {"B": 2, "T": 3, "P": 5, "L": 7, "S": 15})
