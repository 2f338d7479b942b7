"""Variants with vidrt's operators: which there are, that they are whole and give the stock graph's frames."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest
from torch import nn

import vidrt
from vidrt.export import cli, parity, variants
from vidrt.export.depthwise.plugin_form import from_plugin_form, to_plugin_form
from vidrt.export.depthwise.report import Report, Rewritten, Skipped
from vidrt.export.exporter import ExportSummary, GraphSummary, export_bundle
from vidrt.export.models.pocket import bundle_spec
from vidrt.export.options import ExportOptions
from vidrt.export.pocket.layers import DepthwiseConv
from vidrt.export.variants import ModuleGraphs, alike

STEPS = ("vae_decoder_first", "vae_decoder_next")
REWRITTEN = ("denoiser", *STEPS, "vae_encoder")
SEPARABLE, DEPTHWISE = "vidrt::DepthwiseSeparableConv3d", "vidrt::DepthwiseConv3d"


@pytest.fixture(scope="module")
def manifest(toy_bundle: Any) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((toy_bundle.path / "manifest.json").read_text())
    return content


@pytest.fixture(scope="module")
def apart(toy_bundle: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ExportSummary]:
    """The toy again, 1x1x1 convolutions left apart."""
    path = tmp_path_factory.mktemp("apart") / "pocket"
    return path, export_bundle(bundle_spec(toy_bundle.networks), path, ExportOptions(separable=False))


def _nodes(folder: Path, module: str, variant: str) -> list[onnx.NodeProto]:
    graph = onnx.load(folder / f"{module}.fp32.{variant}.onnx", load_external_data=False).graph
    return [node for node in graph.node if node.domain == "vidrt"]


def _depthwise_count(network: nn.Module) -> int:
    return sum(isinstance(layer, DepthwiseConv) for layer in network.modules())


def test_modules_have_their_variants_in_order(manifest: dict[str, Any]) -> None:
    for name, module in manifest["modules"].items():
        kinds = [(item["id"], item["backends"], item["custom_ops"]) for item in module["variants"]]
        low = ("fp16", ["tensorrt", "tensorrt-rtx"], [])
        everywhere = ("fp32", ["onnxruntime", "onnxruntime-cuda", "tensorrt", "tensorrt-rtx"], [])
        if name in REWRITTEN:
            assert kinds == [
                ("vidrt", ["onnxruntime"], [SEPARABLE]),
                ("fp16-plugin", ["tensorrt"], [SEPARABLE]),
                low,
                ("plugin", ["tensorrt"], [SEPARABLE]),
                everywhere,
            ]
        else:
            assert kinds == [low, everywhere]


@pytest.mark.parametrize("variant", ["vidrt", "plugin"])
@pytest.mark.parametrize("module", REWRITTEN)
def test_every_depthwise_convolution_of_the_pocket_modules_is_rewritten(
    toy_bundle: Any, module: str, variant: str
) -> None:
    networks = toy_bundle.networks
    network = {"denoiser": networks.denoiser, "vae_encoder": networks.vae_encoder}.get(module, networks.vae_decoder)
    nodes = _nodes(toy_bundle.path, module, variant)
    assert len(nodes) == _depthwise_count(network) > 2
    assert {node.op_type for node in nodes} == {"DepthwiseSeparableConv3d"}


def test_decoder_steps_take_and_give_their_caches_in_the_operator(toy_bundle: Any) -> None:
    for module in STEPS:
        graph = onnx.load(toy_bundle.path / f"{module}.fp32.vidrt.onnx", load_external_data=False).graph
        nodes = [node for node in graph.node if node.domain == "vidrt"]
        assert [node.output[1] for node in nodes] == [f"cache_out_{index}" for index in range(len(nodes))]
        caches = [node.input[6] for node in nodes if len(node.input) > 6]
        assert caches == ([] if module == STEPS[0] else [f"cache_in_{index}" for index in range(len(nodes))])
        # What is put together still are shapes.
        assert [
            node.attribute[0].i for node in graph.node if node.op_type == "Concat" and node.attribute[0].i != 0
        ] == []
        assert "Pad" not in {node.op_type for node in graph.node}


def test_1x1x1_convolutions_can_be_left_apart(toy_bundle: Any, apart: tuple[Path, ExportSummary]) -> None:
    path, summary = apart
    for module in REWRITTEN:
        nodes = _nodes(path, module, "vidrt")
        assert {node.op_type for node in nodes} == {"DepthwiseConv3d"}
        assert summary.rewrites[module].counts() == {"DepthwiseConv3d": len(nodes)}
    written = json.loads((path / "manifest.json").read_text())
    assert written["modules"]["denoiser"]["variants"][0]["custom_ops"] == [DEPTHWISE]


def test_without_custom_operators_only_the_stock_graphs_are_written_and_they_are_the_same(
    toy_bundle: Any, manifest: dict[str, Any], tmp_path: Path
) -> None:
    summary = export_bundle(bundle_spec(toy_bundle.networks), tmp_path / "stock", ExportOptions(custom_ops=False))
    written = json.loads((tmp_path / "stock" / "manifest.json").read_text())
    for name, module in written["modules"].items():
        assert module["variants"] == manifest["modules"][name]["variants"][-1:]
    assert len(list((tmp_path / "stock").glob("*.onnx"))) == len(written["modules"])
    assert written["data_files"] == manifest["data_files"]
    assert all(report == Report() for report in summary.rewrites.values())


@pytest.mark.parametrize("module", REWRITTEN)
def test_weights_that_are_stored_narrower_are_constants_to_the_operator(
    toy_bundle: Any, tmp_path: Path, module: str
) -> None:
    """Behind a Cast that ONNX Runtime folds: only constants are packed once."""
    options = onnxruntime.SessionOptions()
    options.register_custom_ops_library(str(vidrt.custom_ops_library()))
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    graph = toy_bundle.path / f"{module}.fp32.vidrt.onnx"
    onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
    optimised = onnx.load(tmp_path / "optimised.onnx").graph
    constants = {tensor.name: tensor for tensor in optimised.initializer}
    nodes = [node for node in optimised.node if node.domain == "vidrt"]
    assert len(nodes) == len(_nodes(toy_bundle.path, module, "vidrt"))
    for node in nodes:
        for name in node.input[1:5]:
            assert constants[name].data_type == onnx.TensorProto.FLOAT


@pytest.mark.parametrize("module", STEPS)
def test_the_operators_of_onnx_runtime_are_those_of_the_definition(
    toy_bundle: Any, evaluate_depthwise: Callable[..., Any], module: str
) -> None:
    spec = next(item for item in bundle_spec(toy_bundle.networks).modules if item.name == module)
    graph = toy_bundle.path / f"{module}.fp32.vidrt.onnx"
    inputs = spec.sample_inputs({"B": 2, "k": 2, "h": 5, "w": 3}, seed=4)
    feeds = {tensor.name: value.numpy() for tensor, value in zip(spec.inputs, inputs, strict=True)}
    got = parity.open_session(graph, custom_ops=True).run(None, feeds)
    for mine, theirs in zip(got, evaluate_depthwise(graph, feeds), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-5)


@pytest.mark.parametrize("module", REWRITTEN)
def test_the_form_for_plugins_leaves_out_absent_inputs_and_says_so(toy_bundle: Any, module: str) -> None:
    for node in _nodes(toy_bundle.path, module, "plugin"):
        given = {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}
        assert "" not in node.input
        assert (given["plugin_version"], given["plugin_namespace"]) == (b"1", b"vidrt")
        optional = [given[f"has_{name}"] for name in ("bias", "pointwise_bias", "residual", "cache_in")]
        assert optional == [1, 1, 0, int(module == STEPS[1])]
        assert len(node.input) == 3 + sum(optional)
        assert given["has_cache_out"] == int(module in STEPS) == len(node.output) - 1


@pytest.mark.parametrize("module", REWRITTEN)
def test_both_forms_say_the_same(toy_bundle: Any, module: str) -> None:
    model = ir.load(toy_bundle.path / f"{module}.fp32.vidrt.onnx")
    expected = _facts(model)
    to_plugin_form(model)
    assert _facts(model) == _facts(ir.load(toy_bundle.path / f"{module}.fp32.plugin.onnx"))
    from_plugin_form(model)
    assert _facts(model) == expected


def _facts(model: ir.Model) -> list[Any]:
    return [
        (
            node.op_type,
            [None if value is None else value.name for value in node.inputs],
            [value.name for value in node.outputs],
            {
                name: item.value
                for name, item in node.attributes.items()
                if not isinstance(item.value, ir.TensorProtocol)
            },
        )
        for node in model.graph
    ]


@pytest.mark.parametrize(("num_frames", "decode_chunk"), [(1, 1), (9, 1), (17, 1), (17, 2), (17, 3), (17, 4), (33, 5)])
def test_frames_are_the_stock_graphs_at_any_chunking(toy_bundle: Any, num_frames: int, decode_chunk: int) -> None:
    clips = []
    for variant, chunk in (("fp32", 1), ("vidrt", decode_chunk)):
        pipe = vidrt.TextToVideoPipeline(toy_bundle.path, variant=variant, threads=1)
        video = pipe(
            "a small red circle",
            height=32,
            width=48,
            num_frames=num_frames,
            num_inference_steps=3,
            guidance_scale=2.0,
            seed=num_frames,
            decode_chunk=chunk,
            on_warning=lambda message: None,
        )
        assert {video.metadata.variants[name] for name in ("denoiser", *STEPS)} == {variant}
        clips.append(video.frames.astype(np.int16))
    assert clips[0].std() > 1, "a flat clip would prove nothing"
    assert np.abs(clips[0] - clips[1]).max() <= 1


def test_the_first_variant_is_taken_where_nobody_asks(toy_bundle: Any) -> None:
    pipe = vidrt.TextToVideoPipeline(toy_bundle.path, threads=1)
    settings = {"height": 32, "width": 32, "num_frames": 1, "num_inference_steps": 1}
    video = pipe("a red circle", **settings, on_warning=lambda message: None)
    assert video.metadata.variants == {"text_encoder": "fp32", "denoiser": "vidrt", **dict.fromkeys(STEPS, "vidrt")}


def test_a_bundle_that_has_no_depthwise_convolutions_has_stock_graphs_only(miniature_bundle: Path) -> None:
    for module in vidrt.Bundle(miniature_bundle).modules.values():
        assert [variant.id for variant in module.variants] == ["fp32"]


def _graphs(*kinds: tuple[str, tuple[str, ...]], rewritten: tuple[Rewritten, ...] = ()) -> ModuleGraphs:
    empty = ir.Model(ir.Graph([], [], nodes=[]), ir_version=10)
    made = tuple(variants.Variant(name, empty, ("onnxruntime",), operators) for name, operators in kinds)
    return ModuleGraphs(made, Report(rewritten))


def test_decoder_steps_that_are_not_alike_keep_their_stock_graphs_only() -> None:
    node = Rewritten("node_conv3d", "DepthwiseConv3d", ("padding",))
    one = _graphs(("vidrt", (DEPTHWISE,)), ("fp32", ()), rewritten=(node,))
    same = _graphs(("vidrt", (DEPTHWISE,)), ("fp32", ()))
    other = _graphs(("vidrt", (SEPARABLE,)), ("fp32", ()))
    assert alike([one, same]) == [one, same]
    first, following = alike([one, other])
    assert [variant.id for variant in (*first.variants, *following.variants)] == ["fp32", "fp32"]
    (skipped,) = first.report.skipped
    assert skipped.node == "node_conv3d"
    assert "the decoder's other step would have other operators" in skipped.reason


def test_a_library_that_is_missing_fails_the_export_with_what_to_do(
    toy_bundle: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> Path:
        raise vidrt.BackendError("libvidrt_ort_ops.so is missing")

    monkeypatch.setattr(vidrt, "custom_ops_library", missing, raising=False)
    with pytest.raises(vidrt.BackendError, match=r"libvidrt_ort_ops\.so is missing"):
        export_bundle(bundle_spec(toy_bundle.networks), tmp_path / "bundle", ExportOptions())
    assert list(tmp_path.iterdir()) == []


def test_a_summary_says_how_many_were_rewritten_and_why_others_were_not(capsys: pytest.CaptureFixture[str]) -> None:
    measured = parity.Parity(1e-6, 1e-4, 3)
    report = Report(
        (Rewritten("node_conv3d", "DepthwiseConv3d", ("padding",)),),
        (Skipped("node_conv3d_1", "it has 2 filters for each channel; expected one"),),
    )
    cli._print_summary(
        ExportSummary(Path("bundle"), 1000, [GraphSummary("denoiser", "vidrt", 9, 100, measured)], {"denoiser": report})
    )
    printed = capsys.readouterr().out
    assert "denoiser: 1 DepthwiseConv3d, of 2 convolutions in groups\n" in printed
    assert "  node_conv3d_1 stays: it has 2 filters for each channel; expected one\n" in printed


def test_the_command_turns_the_pass_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[ExportOptions] = []

    def note(spec: object, folder: Path, options: ExportOptions, show: object) -> ExportSummary:
        asked.append(options)
        return ExportSummary(folder, 0, [], {})

    monkeypatch.setattr(cli.exporter, "export_bundle", note)
    for flags in ([], ["--no-custom-ops"], ["--no-separable"]):
        cli.main(["pocket", str(tmp_path / "bundle"), "--seed", "0", *flags])
    assert [(options.custom_ops, options.separable) for options in asked] == [
        (True, True),
        (False, True),
        (True, False),
    ]
