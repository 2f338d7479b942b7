"""What predictions count of a real denoiser is what its layers' shapes say."""

from __future__ import annotations

import pytest
from torch import nn

import vidrt
from vidrt.engine.predict.graph import sized_graph
from vidrt.engine.predict.kernels import GraphCost, graph_cost

BATCH, FRAMES, HEIGHT, WIDTH = 2, 5, 8, 12


def by_layers(transformer: nn.Module, text: int) -> int:
    """2 x weights x rows of every layer, and 4 L² D of each attention, over all its tokens or those of the text."""
    tokens = FRAMES * (HEIGHT // 2) * (WIDTH // 2)
    total, width, layers = 0, 0, len(transformer.blocks)
    for name, layer in transformer.named_modules():
        if isinstance(layer, (nn.Linear, nn.Conv3d)):
            of_text = "text_embedder" in name or name.endswith(("attn2.to_k", "attn2.to_v"))
            rows = text if of_text else FRAMES if "time" in name else tokens
            total += 2 * layer.weight.numel() * rows
        if name == "blocks.0.attn1.to_q":
            width = layer.out_features
    return BATCH * (total + layers * 4 * tokens * (tokens + text) * width)


def cost(bundle: vidrt.Bundle, variant: str) -> GraphCost:
    chosen = next(one for one in bundle.modules["denoiser"].variants if one.id == variant)
    text = bundle.manifest.text_length
    sizes = {"B": BATCH, "T": FRAMES, "h": HEIGHT, "w": WIDTH, "L": text}
    shapes = {
        spec.name: tuple(int(entry) if entry.isdecimal() else sizes[entry] for entry in spec.shape)
        for spec in chosen.inputs
    }
    return graph_cost(sized_graph(bundle.resolve(chosen.file), shapes), fused_attention=True)


@pytest.mark.parametrize("variant", ["processor", "fp32", "fp16"])
def test_operations_are_those_of_the_layers(wan_toy, variant):
    bundle = vidrt.Bundle(wan_toy.bundle)
    found = cost(bundle, variant)
    assert found.flops == by_layers(wan_toy.pipeline.transformer, bundle.manifest.text_length)
    assert not found.uncounted


def test_attention_is_one_kernel_in_half_precision(wan_toy):
    bundle = vidrt.Bundle(wan_toy.bundle)
    layers = len(wan_toy.pipeline.transformer.blocks)
    assert not [kernel for kernel in cost(bundle, "fp16").kernels if kernel.op == "Softmax"]
    assert len([kernel for kernel in cost(bundle, "fp32").kernels if kernel.op == "Softmax"]) == 2 * layers
