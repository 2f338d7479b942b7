"""Linear layers with weights of eight bits: the numbers, the graphs, and bundles with them on disk."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
import torch
from torch import Tensor, nn
from transformers import UMT5Config, UMT5EncoderModel

import vidrt
from vidrt.engine.errors import InvalidArgument
from vidrt.export import graph_file, graph_passes, options, parity
from vidrt.export.errors import ExportError
from vidrt.export.exporter import ExportSummary, export_bundle
from vidrt.export.models.pocket import bundle_spec
from vidrt.export.options import ExportOptions
from vidrt.export.pocket.checkpoint import random_networks
from vidrt.export.pocket.config import TOY, PocketConfig
from vidrt.export.quantisation.linear import linear_layers
from vidrt.export.quantisation.rewrite import to_dequantize, to_matmul_nbits
from vidrt.export.quantisation.rounding import round_blocks, round_rows
from vidrt.export.samples import mask, token_ids
from vidrt.export.spec import BundleSpec, Extent, ModuleSpec, TensorSpec
from vidrt.export.to_onnx import trace
from vidrt.export.weights import Weight, named_weights, stored_names, write_weights

INT8 = {"text_encoder": ("int8",)}
Pass = Callable[[ir.Model, dict[str, Weight]], dict[str, Weight]]


class Encoder(nn.Module):
    """A toy UMT5 with outputs as a bundle has them."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        config = UMT5Config(vocab_size=300, d_model=128, d_kv=32, d_ff=320, num_layers=2, num_heads=4)
        self.model = UMT5EncoderModel(config)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        embeds: Tensor = self.model(input_ids, attention_mask).last_hidden_state
        return embeds


@pytest.fixture(scope="module")
def umt5() -> tuple[ModuleSpec, nn.Module, ir.Model, dict[str, Weight]]:
    module = Encoder().eval()
    spec = ModuleSpec(
        name="text_encoder",
        build=lambda: module,
        inputs=(
            TensorSpec("input_ids", "int64", ("B", "L"), token_ids(300)),
            TensorSpec("attention_mask", "int64", ("B", "L"), mask),
        ),
        outputs=(TensorSpec("text_embeds", "float32", ("B", "L", 128)),),
        extents={"B": Extent(1, 4), "L": Extent(2, 32)},
        trace={"B": 2, "L": 7},
        cases=({"B": 1, "L": 32}, {"B": 2, "L": 9}),
        tolerance={"fp32": 1e-4, "int8": 0.2},
    )
    model = trace(spec, module)
    weights = named_weights({"text_encoder": module}, "fp32")
    graph_passes.name_weights(model, stored_names(module, weights))
    graph_passes.clean(model, weights)
    return spec, module, model, weights


@pytest.fixture(scope="module")
def pocket() -> BundleSpec:
    """Pocket at toy size with random weights, but for a text encoder as wide as the real one."""
    text = dataclasses.replace(PocketConfig().text, layers=1)
    denoiser = dataclasses.replace(TOY.denoiser, text_width=text.width)
    return bundle_spec(random_networks(dataclasses.replace(TOY, text=text, denoiser=denoiser), seed=4))


@pytest.fixture(scope="module")
def exported(pocket: BundleSpec, tmp_path_factory: pytest.TempPathFactory) -> dict[str, ExportSummary]:
    """Bundles with int8 beside the other graphs and alone."""
    folder = tmp_path_factory.mktemp("exported")
    return {
        name: export_bundle(pocket, folder / name, ExportOptions(INT8, custom_ops=False, int8_alone=name == "alone"))
        for name in ("beside", "alone")
    }


def test_rounded_blocks_are_within_half_a_step_and_keep_their_extremes() -> None:
    weight = torch.randn(5, 70, generator=torch.Generator().manual_seed(1))
    weight[2] = 0.0
    packed, scales = round_blocks(weight, 32)
    assert (packed.shape, packed.dtype, scales.shape) == ((5, 3, 32), torch.uint8, (5, 3))
    wide = ((packed.float() - 128) * scales[..., None]).reshape(5, 96)
    assert torch.equal(wide[:, 70:], torch.zeros(5, 26))
    assert bool(((wide[:, :70] - weight).abs().reshape(5, 70) <= scales.repeat_interleave(32, 1)[:, :70] * 0.501).all())
    assert torch.equal(wide[2], torch.zeros(96))
    assert packed.min() >= 1
    assert {int(packed[0].max()), 256 - int(packed[0].min())} & {255}


def test_rounded_rows_have_one_scale_each() -> None:
    weight = torch.tensor([[1.0, -2.0, 0.5], [0.0, 0.0, 0.0]])
    rows, scales = round_rows(weight)
    assert rows.tolist() == [[64, -127, 32], [0, 0, 0]]
    assert scales.tolist() == pytest.approx([2 / 127, 1.0])


@pytest.mark.parametrize(
    ("rewrite", "operator"), [(to_matmul_nbits, "MatMulNBits"), (to_dequantize, "DequantizeLinear")]
)
def test_every_linear_layer_of_a_umt5_is_rewritten_and_computes_nearly_the_same(
    umt5: Any, tmp_path: Path, rewrite: Pass, operator: str
) -> None:
    spec, module, traced, weights = umt5
    model = traced.clone()
    assert len(linear_layers(model.graph, weights)) == 2 * 7
    made = rewrite(model, weights)
    assert sum(node.op_type == operator for node in model.graph) == 2 * 7
    assert not linear_layers(model.graph, weights)
    own, rest = write_weights(tmp_path, made), write_weights(tmp_path, weights)
    graph_file.refer_to(model, own)
    graph_file.refer_to(model, rest)
    graph_file.write_graph(tmp_path, "model.onnx", model)
    session = parity.open_session(tmp_path / "model.onnx")
    measured = parity.measure(spec, module, session, parity.Allowed(0.2, 0.999))
    print(operator, measured)
    assert measured.cosine is not None
    assert 0.999 < measured.cosine < 1.0
    assert measured.max_abs > 1e-5


def test_a_cosine_that_is_too_small_fails(umt5: Any, tmp_path: Path) -> None:
    spec, module, traced, weights = umt5
    model = traced.clone()
    graph_file.refer_to(model, write_weights(tmp_path, weights))
    graph_file.write_graph(tmp_path, "model.onnx", model)
    session = parity.open_session(tmp_path / "model.onnx")
    with torch.no_grad():
        kept = module.model.encoder.final_layer_norm.weight.clone()
        module.model.encoder.final_layer_norm.weight[:64] = -1
        try:
            with pytest.raises(ExportError, match=r"has the cosine -?0\.\d+ with PyTorch's, allowed are 0\.999"):
                parity.measure(spec, module, session, parity.Allowed(100.0, 0.999))
        finally:
            module.model.encoder.final_layer_norm.weight.copy_(kept)


def test_a_weight_that_something_else_reads_stays_as_it_is(umt5: Any) -> None:
    _, _, traced, weights = umt5
    model = traced.clone()
    layer = linear_layers(model.graph, weights)[0]
    reader = ir.node("Identity", [layer.transpose.inputs[0]])
    model.graph.append(reader)
    assert layer.weight not in {found.weight for found in linear_layers(model.graph, weights)}


def test_a_bundle_gets_int8_after_its_other_variants_in_a_file_of_its_own(exported: dict[str, ExportSummary]) -> None:
    summary = exported["beside"]
    bundle = vidrt.Bundle(summary.path)
    variants = {variant.id: variant for variant in bundle.modules["text_encoder"].variants}
    assert list(variants) == ["fp32", "int8", "int8-dequantize"]
    assert variants["int8"].custom_ops == ["com.microsoft::MatMulNBits"]
    assert variants["int8"].backends == ["onnxruntime"]
    assert variants["int8-dequantize"].backends == ["tensorrt", "tensorrt-rtx"]
    for name in ("int8", "int8-dequantize"):
        measured = variants[name].parity
        assert measured is not None
        assert (variants[name].precision, variants[name].storage) == ("fp32", "int8")
        assert measured.cosine is not None
        assert measured.cosine > 0.999
        assert measured.least_cosine == 0.999
        assert len(variants[name].data_files) == 2
    assert variants["fp32"].parity is not None
    assert variants["fp32"].parity.cosine is None
    assert {graph.variant for graph in summary.graphs if graph.module == "denoiser"} == {"fp32"}


def test_fp32_is_the_default_and_int8_what_is_insisted_on(exported: dict[str, ExportSummary]) -> None:
    bundle = vidrt.Bundle(exported["beside"].path)
    (plain, plain_variant), (rounded, rounded_variant) = (_embeds(bundle, variant) for variant in (None, "int8"))
    assert (plain_variant, rounded_variant) == ("fp32", "int8")
    assert not np.array_equal(plain, rounded)
    assert float((plain * rounded).sum() / np.linalg.norm(plain) / np.linalg.norm(rounded)) > 0.999


def test_alone_it_saves_the_weights_it_stands_for(pocket: BundleSpec, exported: dict[str, ExportSummary]) -> None:
    alone = exported["alone"]
    network = pocket.networks["text_encoder"]
    linear = sum(m.weight.numel() for m in network.modules() if isinstance(m, nn.Linear))
    saved = exported["beside"].weight_bytes - alone.weight_bytes
    assert 2 * linear <= saved <= 2 * linear + 4096  # what is left out of the header comes on top
    bundle = vidrt.Bundle(alone.path)
    assert [variant.id for variant in bundle.modules["text_encoder"].variants] == ["int8", "int8-dequantize"]
    assert _embeds(bundle, None)[1] == "int8"


def _embeds(bundle: vidrt.Bundle, variant: str | None) -> tuple[Any, str]:
    """The rows of a prompt's tokens, and the variant of the text encoder that made them."""
    pipe = vidrt.TextToVideoPipeline(bundle, threads=1, variant=variant)
    settings = {"height": 32, "width": 32, "num_frames": 5, "num_inference_steps": 1, "seed": 1}
    video = pipe("a small red circle", on_warning=lambda message: None, **settings)
    embeds = pipe.encode_prompt("a small red circle")
    return embeds.text_embeds[embeds.text_mask == 1], video.metadata.variants["text_encoder"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (ExportOptions({"denoiser": ("int8",)}), "has int8 for text_encoder, got it for denoiser"),
        (ExportOptions({"": ("int8",)}), "got it for denoiser; write it with the module"),
        (ExportOptions(int8_alone=True), "no module has int8"),
    ],
)
def test_what_there_is_no_int8_for_is_refused(
    pocket: BundleSpec, tmp_path: Path, options: ExportOptions, message: str
) -> None:
    with pytest.raises(InvalidArgument, match=message):
        export_bundle(pocket, tmp_path / "b", options)
    assert not (tmp_path / "b").exists()


def test_an_onnxruntime_without_the_kernel_is_refused_before_anything_is_traced(
    pocket: BundleSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(options.onnxruntime, "__version__", "1.22.1")
    with pytest.raises(InvalidArgument, match=r"int8 needs ONNX Runtime 1\.23 or later .* this is 1\.22\.1"):
        export_bundle(pocket, tmp_path / "b", ExportOptions(INT8))


def test_a_module_without_large_layers_is_refused(
    miniature: BundleSpec, with_module: Callable[..., BundleSpec], tmp_path: Path
) -> None:
    spec = with_module(miniature, "text_encoder", tolerance={"fp32": 1e-5, "int8": 1.0})
    with pytest.raises(ExportError, match="without a linear layer that is large enough"):
        export_bundle(spec, tmp_path / "b", ExportOptions(INT8))


@pytest.mark.parametrize("change", [{"cosine": 2.0}, {"cosine": 0.9995}, {"cosine": "high", "least_cosine": 0.9}])
def test_a_cosine_that_is_none_is_refused(bundle_copy: Path, change: dict[str, Any]) -> None:
    manifest = json.loads((bundle_copy / "manifest.json").read_text())
    manifest["modules"]["text_encoder"]["variants"][0]["parity"].update(change)
    (bundle_copy / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(vidrt.BundleError, match="cosine"):
        vidrt.Bundle(bundle_copy)
