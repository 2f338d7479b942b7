"""What follows a resnet of the UNet: a temporal convolution, and attention on most levels. A kind is traced once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from diffusers.models.resnet import TemporalConvLayer
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from diffusers.models.transformers.transformer_temporal import TransformerTemporalModel
from torch import Tensor, nn

from vidrt.export.repeated import LayerSpec, Repeated
from vidrt.export.samples import normal
from vidrt.export.spec import TensorSpec


class TemporalConv(nn.Module):
    """Convolutions over frames, added to what they are given: x (B,T,C,h,w) -> (B,T,C,h,w).

    Args:
        layer: Their weights.
    """

    def __init__(self, layer: TemporalConvLayer) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        """The layer's own forward, without its way by frames of all samples in a row."""
        layer, x = self.layer, x.transpose(1, 2)
        x = x + layer.conv4(layer.conv3(layer.conv2(layer.conv1(x))))
        return x.transpose(1, 2)


class AttentiveStage(nn.Module):
    """A temporal convolution, attention within each frame and to the text, attention between frames.

    Args:
        temporal_conv: The convolution's weights.
        attention: Of each frame, with its cross attention.
        temporal_attention: Of each place, over all frames.
    """

    def __init__(
        self,
        temporal_conv: TemporalConvLayer,
        attention: Transformer2DModel,
        temporal_attention: TransformerTemporalModel,
    ) -> None:
        super().__init__()
        self.temporal_conv = TemporalConv(temporal_conv)
        self.attention = attention
        self.temporal_attention = temporal_attention

    def forward(self, x: Tensor, text: Tensor) -> Tensor:
        """X (B,T,C,h,w), text of each frame (B,T,L,D) -> (B,T,C,h,w)."""
        batch, frames = x.shape[:2]
        x = self.temporal_conv(x).flatten(0, 1)
        x = self.attention(x, encoder_hidden_states=text.flatten(0, 1), return_dict=False)[0]
        x = self.temporal_attention(x, num_frames=frames, return_dict=False)[0]
        return x.unflatten(0, (batch, frames))


class Stages(nn.Module):
    """Stages that are called one after another, with other layers between them.

    Args:
        blocks: Of the UNet, in the order in which it runs them.
        text_width: Columns of text_embeds.
    """

    def __init__(self, blocks: Iterable[nn.Module], text_width: int) -> None:
        super().__init__()
        kinds: dict[tuple[int, int], list[nn.Module]] = {}
        self.places = []
        for block in blocks:
            for kind, stage in _stages(block):
                alike = kinds.setdefault(kind, [])
                self.places.append((list(kinds).index(kind), len(alike)))
                alike.append(stage)
        self.kinds = nn.ModuleList(
            Repeated(stages, _layer_spec(width, text_width if heads else None))
            for (width, heads), stages in kinds.items()
        )

    def forward(self, index: int, x: Tensor, text: Tensor) -> Tensor:
        """Stage `index`: x (B,T,C,h,w), text (B,T,L,D) -> (B,T,C,h,w)."""
        kind, place = self.places[index]
        stages: Any = self.kinds[kind]
        result: Tensor = stages.layer(place, x, *((text,) if len(stages.spec.inputs) > 1 else ()))
        return result


def _stages(block: Any) -> Iterator[tuple[tuple[int, int], nn.Module]]:
    """The stages of a block, each with its kind: channels, and heads of its attention or 0."""
    attentions = list(getattr(block, "attentions", ()))
    for index, temporal_conv in enumerate(block.temp_convs):
        width = temporal_conv.in_dim
        if index < len(attentions):  # the middle block has one less than it has convolutions
            attention, temporal = attentions[index], block.temp_attentions[index]
            yield (width, attention.config.num_attention_heads), AttentiveStage(temporal_conv, attention, temporal)
        else:
            yield (width, 0), TemporalConv(temporal_conv)


def _layer_spec(width: int, text_width: int | None) -> LayerSpec:
    x = TensorSpec("x", "float32", ("B", "T", width, "h", "w"), normal)
    sizes = {"B": 2, "T": 3, "h": 4, "w": 5}
    if text_width is None:
        return LayerSpec((x,), sizes)
    return LayerSpec((x, TensorSpec("text", "float32", ("B", "T", "L", text_width), normal)), {**sizes, "L": 7})
