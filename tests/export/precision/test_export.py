"""Bundles with graphs of low precision: what the manifest says, where weights lie, and what computes in which dtype."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest
import torch

import vidrt
from vidrt.export import cli, parity
from vidrt.export.errors import ExportError
from vidrt.export.exporter import ExportSummary, export_bundle
from vidrt.export.models.pocket import bundle_spec
from vidrt.export.options import ExportOptions
from vidrt.export.precision.emulation import emulate
from vidrt.export.precision.operators import is_product
from vidrt.export.spec import BundleSpec

TOLERANCE = {"fp32": 1e-4, "fp16": 5e-2, "bf16": 4e-1}
FP32_OPERATORS = {"ReduceMean", "ReduceSum", "Pow", "Sqrt", "Reciprocal", "LayerNormalization", "Softmax", "Sin", "Cos"}
FLOATS = (ir.DataType.FLOAT, ir.DataType.FLOAT16, ir.DataType.BFLOAT16)


def _manifest(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    return content


def _low_graphs(folder: Path) -> Iterator[tuple[str, ir.Model]]:
    for name, module in _manifest(folder)["modules"].items():
        for variant in module["variants"]:
            if variant["precision"] != "fp32":
                yield f"{name} {variant['id']}", ir.load(folder / variant["file"])


def _stored(model: ir.Model) -> list[ir.Value]:
    values = model.graph.initializers.values()
    return [value for value in values if isinstance(value.const_value, ir.ExternalTensor)]


@pytest.fixture(scope="session")
def folders(toy_bundle: Any, low_miniature_bundle: Path, pocket_bundle: Path) -> list[Path]:
    return [pocket_bundle, toy_bundle.path, low_miniature_bundle]


def test_nothing_low_reaches_a_norm_a_softmax_or_a_sine(folders: list[Path]) -> None:
    seen = set()
    for folder in folders:
        for title, model in _low_graphs(folder):
            for node in model.graph:
                if node.op_type in FP32_OPERATORS and node.outputs[0].dtype in FLOATS:
                    seen.add(node.op_type)
                    dtypes = {value.dtype for value in (*node.inputs, *node.outputs) if value and value.dtype in FLOATS}
                    assert dtypes == {ir.DataType.FLOAT}, f"{title}: {node.op_type} {node.name}"
    assert seen == FP32_OPERATORS


def test_most_products_are_low_and_only_the_timesteps_and_the_last_are_not(pocket_bundle: Path) -> None:
    for title, model in _low_graphs(pocket_bundle):
        products = [node for node in model.graph if is_product(node)]
        wide = [node for node in products if node.outputs[0].dtype == ir.DataType.FLOAT]
        # The two layers of the timestep's embedding; the decoder's head.
        expected = {"denoiser": 2, "vae_decoder_first": 1, "vae_decoder_next": 1}.get(title.split()[0], 0)
        assert (len(wide), len(products) > 10) == (expected, True), title


def test_inputs_and_outputs_are_what_the_core_gives_and_takes(folders: list[Path]) -> None:
    for folder in folders:
        for title, model in _low_graphs(folder):
            dtypes = {value.dtype for value in (*model.graph.inputs, *model.graph.outputs)}
            assert dtypes <= {ir.DataType.FLOAT, ir.DataType.INT64}, title


def test_no_cast_follows_another_and_none_is_for_nothing(folders: list[Path]) -> None:
    for folder in folders:
        for title, model in _low_graphs(folder):
            casts = [node for node in model.graph if node.op_type == "Cast"]
            assert len({(node.inputs[0], node.outputs[0].dtype) for node in casts}) == len(casts), title
            for node in casts:
                (source,) = node.inputs
                assert source is not None
                assert source.dtype != node.outputs[0].dtype, f"{title}: {node.name}"
                before = source.producer()
                assert before is None or before.op_type != "Cast", f"{title}: {node.name}"


def test_the_manifest_says_how_parity_was_found_and_it_is_within_the_table(
    folders: list[Path], pocket_bundle: Path
) -> None:
    for folder in folders:
        for module in _manifest(folder)["modules"].values():
            for variant in module["variants"]:
                found = variant["parity"]
                low = variant["precision"] != "fp32"
                assert found.get("method", "run") == ("emulated" if low else "run")
                assert found["max_abs"] <= found["tolerance"] <= TOLERANCE[variant["precision"]]
        opened = vidrt.Bundle(folder)
        if folder == pocket_bundle:
            low = [
                one.parity for module in opened.modules.values() for one in module.variants if one.precision == "fp16"
            ]
            assert all(one is not None and one.max_abs > 1e-3 for one in low), "rounding shows"
        for name, one in opened.modules.items():
            for read in one.variants:
                assert read.parity is not None
                assert read.parity.method == ("run" if read.precision == "fp32" else "emulated"), name


def test_fp16_graphs_refer_to_the_weights_that_are_stored_in_fp16(toy_bundle: Any, pocket_bundle: Path) -> None:
    for folder in (toy_bundle.path, pocket_bundle):
        assert len(_manifest(folder)["data_files"]) == 1
        for title, model in _low_graphs(folder):
            stored = _stored(model)
            assert stored, title
            for value in stored:
                behind = {use.node.op_type for use in value.uses()}
                if value.dtype == ir.DataType.FLOAT16 and behind == {"Cast"}:
                    assert all(use.node.outputs[0].dtype == ir.DataType.FLOAT for use in value.uses()), title


def test_fp32_storage_gets_a_file_for_each_precision_and_graphs_no_casts_of_weights(low_miniature_bundle: Path) -> None:
    manifest = _manifest(low_miniature_bundle)
    assert len(manifest["data_files"]) == 3
    for name, module in manifest["modules"].items():
        by_precision = {variant["precision"]: variant for variant in module["variants"]}
        assert by_precision["fp32"]["storage"] == "fp32"
        assert [variant["id"] for variant in module["variants"]] == ["bf16", "fp16", "fp32"]
        for precision in ("fp16", "bf16"):
            variant = by_precision[precision]
            if name == "vae_decoder":  # its last layer, which stays in fp32, is its only one
                assert (variant["storage"], variant["data_files"]) == ("fp32", by_precision["fp32"]["data_files"])
                continue
            assert variant["storage"] == precision
            assert set(variant["data_files"]) - set(by_precision["fp32"]["data_files"])
            dtype = {"fp16": ir.DataType.FLOAT16, "bf16": ir.DataType.BFLOAT16}[precision]
            weights = _stored(ir.load(low_miniature_bundle / variant["file"]))
            assert {value.dtype for value in weights} <= {dtype, ir.DataType.INT64}
            floats = [value for value in weights if value.dtype == dtype]
            assert floats
            assert all(use.node.op_type != "Cast" for value in floats for use in value.uses())


def test_a_weight_that_fp16_cannot_hold_fails_the_export_of_it(miniature: BundleSpec, tmp_path: Path) -> None:
    with torch.no_grad():
        miniature.networks["denoiser"].get_parameter("conv.weight").mul_(1e6)
    options = ExportOptions({"denoiser": ("fp16",)}, storage="fp32")
    with pytest.raises(ExportError, match=r"the weight denoiser\.conv\.weight holds the value .* fp16 cannot hold"):
        export_bundle(miniature, tmp_path / "bundle", options)
    assert list(tmp_path.iterdir()) == []


def test_a_graph_that_loses_too_much_fails_the_export(
    miniature: BundleSpec, with_module: Callable[..., BundleSpec], tmp_path: Path
) -> None:
    spec = with_module(miniature, "denoiser", tolerance={"fp32": 1e-5, "fp16": 1e-7})
    with pytest.raises(ExportError, match=r"module denoiser at .* differs from PyTorch by .*, allowed are 1e-07"):
        export_bundle(spec, tmp_path / "bundle", ExportOptions({"denoiser": ("fp16",)}))


def test_one_module_may_have_a_precision_by_itself_but_not_one_step_of_a_decoder(
    toy_bundle: Any, miniature: BundleSpec, tmp_path: Path
) -> None:
    export_bundle(miniature, tmp_path / "bundle", ExportOptions({"denoiser": ("fp16",), "": ("fp32",)}))
    modules = _manifest(tmp_path / "bundle")["modules"]
    ids = {name: [one["id"] for one in module["variants"]] for name, module in modules.items()}
    assert ids == {"text_encoder": ["fp32"], "denoiser": ["fp16", "fp32"], "vae_decoder": ["fp32"]}
    options = ExportOptions({"vae_decoder_next": ("fp16",)})
    with pytest.raises(vidrt.InvalidArgument, match=r"are one decoder, .* give both the same --precision"):
        export_bundle(bundle_spec(toy_bundle.networks), tmp_path / "two", options)


@pytest.mark.parametrize(("precision", "dtype"), [("fp16", torch.float16), ("bf16", torch.bfloat16)])
def test_emulation_rounds_every_result_as_pytorch_does(precision: str, dtype: torch.dtype, tmp_path: Path) -> None:
    number = {"fp16": onnx.TensorProto.FLOAT16, "bf16": onnx.TensorProto.BFLOAT16}[precision]
    model = onnx.parser.parse_model(
        f"""<ir_version: 10, opset_import: ["" : 22]> g (float[64] x) => (float[64] y) {{
          a = Cast <to = {number}> (x)
          b = Mul (a, a)
          c = Add (b, a)
          d = Reshape (c, c_shape)
          y = Cast <to = 1> (d)
        }}""".replace("(float[64] y)", "(float[64] y) <int64[1] c_shape = {64}>")
    )
    emulated = ir.from_proto(onnx.shape_inference.infer_shapes(model))
    emulate(emulated)
    ir.save(emulated, tmp_path / "emulated.onnx")
    x = np.random.default_rng(0).standard_normal(64, dtype=np.float32)
    (got,) = parity.open_session(tmp_path / "emulated.onnx").run(None, {"x": x})
    low = torch.from_numpy(x).to(dtype)
    assert np.array_equal(got, (low * low + low).float().numpy())
    assert not np.array_equal(got, x * x + x)


def test_emulation_leaves_an_fp32_graph_as_it_is(pocket_bundle: Path) -> None:
    model = ir.load(pocket_bundle / "text_encoder.fp32.onnx")
    before = [(node.name, node.op_type) for node in model.graph if node.op_type != "Cast"]
    emulate(model)
    assert [(node.name, node.op_type) for node in model.graph if node.op_type != "Cast"] == before


def test_the_command_reads_its_wishes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[ExportOptions] = []

    def note(spec: object, folder: Path, options: ExportOptions, show: object) -> ExportSummary:
        asked.append(options)
        return ExportSummary(folder, 0, [], {})

    monkeypatch.setattr(cli.exporter, "export_bundle", note)
    arguments = ["pocket", str(tmp_path / "bundle"), "--seed", "0"]
    cli.main(arguments)
    cli.main([*arguments, "--precision", "fp16,bf16", "--precision", "denoiser=bf16"])
    assert [options.precisions_of("denoiser") for options in asked] == [(), ("bf16",)]
    assert [options.precisions_of("text_encoder") for options in asked] == [(), ("fp16", "bf16")]


def test_the_command_refuses_what_is_no_precision(run_vidrt: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    result = run_vidrt("export", "pocket", "out", "--seed", "0", "--precision", "half")
    assert result.returncode == 2
    assert "a precision is written as fp16, or denoiser=fp16 for one module, got 'half'" in result.stderr
    assert "Traceback" not in result.stderr
