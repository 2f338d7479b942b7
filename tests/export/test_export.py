"""An export gives a whole bundle that is right, or an error and nothing."""

from __future__ import annotations

import dataclasses
import errno
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from torch import Tensor, nn

import vidrt
from vidrt.export import cli, part_export
from vidrt.export.errors import ExportError
from vidrt.export.exporter import export_bundle
from vidrt.export.options import ExportOptions
from vidrt.export.registry import Family
from vidrt.export.spec import BundleSpec


class Spoiled(nn.Module):
    """Computes one thing while it is traced and another when it is run."""

    def __init__(self, inner: nn.Module, spoil: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.inner = inner
        self.spoil = spoil

    def forward(self, latents: Tensor) -> Tensor:
        frames = self.inner(latents)
        return frames if torch.compiler.is_exporting() else self.spoil(frames)


def _spoiled(spec: BundleSpec, with_module: Callable[..., BundleSpec], spoil: Callable[[Tensor], Tensor]) -> BundleSpec:
    decoder = spec.networks["vae_decoder"]
    return with_module(spec, "vae_decoder", build=lambda: Spoiled(decoder, spoil))


def test_a_graph_that_differs_from_pytorch_fails_the_export_and_leaves_nothing(
    miniature: BundleSpec, with_module: Callable[..., BundleSpec], tmp_path: Path
) -> None:
    spec = _spoiled(miniature, with_module, lambda frames: frames + 0.25)
    with pytest.raises(ExportError, match=r"module vae_decoder at .*T=3.*: frames differs from PyTorch by 0\.25"):
        export_bundle(spec, tmp_path / "bundle", ExportOptions())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda frames: frames[:, :, :1], r"frames has the shape .*, PyTorch gives"),
        (lambda frames: frames / 0.0, "frames holds values that are not finite"),
    ],
)
def test_another_shape_and_values_that_are_not_finite_fail_the_export(
    miniature: BundleSpec,
    with_module: Callable[..., BundleSpec],
    tmp_path: Path,
    spoil: Callable[[Tensor], Tensor],
    message: str,
) -> None:
    with pytest.raises(ExportError, match=message):
        export_bundle(_spoiled(miniature, with_module, spoil), tmp_path / "bundle", ExportOptions())
    assert list(tmp_path.iterdir()) == []


def test_the_same_model_gives_the_same_bytes(miniature: BundleSpec, miniature_bundle: Path, tmp_path: Path) -> None:
    summary = export_bundle(miniature, tmp_path / "bundle", ExportOptions())
    names = sorted(path.relative_to(miniature_bundle) for path in miniature_bundle.rglob("*") if path.is_file())
    assert len(names) == 6  # manifest, three graphs, weights, vocabulary
    for name in names:
        assert (tmp_path / "bundle" / name).read_bytes() == (miniature_bundle / name).read_bytes(), name
    assert [graph.module for graph in summary.graphs] == ["text_encoder", "denoiser", "vae_decoder"]


def test_words_that_exclude_each_other_reach_the_manifest_where_there_are_any(
    miniature: BundleSpec, miniature_bundle: Path, tmp_path: Path
) -> None:
    words = {"colour": (("red",), ("blue", "sky blue"))}
    export_bundle(dataclasses.replace(miniature, exclusive_words=words), tmp_path / "bundle", ExportOptions())
    assert vidrt.Bundle(tmp_path / "bundle").manifest.exclusive_words == {"colour": [["red"], ["blue", "sky blue"]]}
    assert "exclusive_words" not in json.loads((miniature_bundle / "manifest.json").read_text())["text"]


def test_a_phrase_that_no_prompt_can_hold_fails_the_export(miniature: BundleSpec, tmp_path: Path) -> None:
    words = {"colour": [["Red"], ["blue"]]}
    with pytest.raises(
        vidrt.BundleError, match=r'exclusive_words\."colour"\[0\]\[0\]: got "Red", expected words in lower'
    ):
        export_bundle(dataclasses.replace(miniature, exclusive_words=words), tmp_path / "bundle", ExportOptions())
    assert list(tmp_path.iterdir()) == []


def test_fp32_storage_keeps_every_bit_and_needs_no_casts_of_weights(miniature: BundleSpec, tmp_path: Path) -> None:
    before = {name: tensor.clone() for name, tensor in miniature.networks["denoiser"].state_dict().items()}
    export_bundle(miniature, tmp_path / "bundle", ExportOptions(storage="fp32"))
    graph = onnx.load(tmp_path / "bundle" / "denoiser.fp32.onnx")
    read = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.graph.initializer}
    for name, tensor in before.items():
        assert read[f"denoiser.{name}"].tobytes() == tensor.numpy().tobytes()
    assert "Cast" not in [node.op_type for node in graph.graph.node]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (ExportOptions({"denoizer": ("fp32",)}), "miniature has no module 'denoizer'; it has text_encoder, denoiser"),
        (ExportOptions(storage="int8"), "got --storage int8, expected one of fp16, bf16, fp32"),
    ],
)
def test_precisions_that_are_not_supported_are_refused_before_anything_is_done(
    miniature: BundleSpec, tmp_path: Path, options: ExportOptions, message: str
) -> None:
    with pytest.raises(vidrt.InvalidArgument, match=message):
        export_bundle(miniature, tmp_path / "bundle", options)
    assert list(tmp_path.iterdir()) == []


def test_a_precision_that_the_family_lacks_is_refused(miniature: BundleSpec, tmp_path: Path) -> None:
    spec = dataclasses.replace(miniature, compute=("fp32",))
    with pytest.raises(vidrt.InvalidArgument, match="miniature computes in fp32, got --precision fp16 for denoiser"):
        export_bundle(spec, tmp_path / "bundle", ExportOptions({"denoiser": ("fp16",)}))
    assert list(tmp_path.iterdir()) == []


def test_a_bundle_that_is_there_is_not_replaced_unasked(
    miniature: BundleSpec, miniature_bundle: Path, tmp_path: Path
) -> None:
    target = Path(shutil.copytree(miniature_bundle, tmp_path / "bundle"))
    with pytest.raises(vidrt.InvalidArgument, match=r"holds a bundle; choose another folder, or .*--overwrite"):
        export_bundle(miniature, target, ExportOptions())


def test_overwriting_replaces_the_bundle_and_keeps_what_people_put_beside_it(
    miniature: BundleSpec, miniature_bundle: Path, tmp_path: Path
) -> None:
    target = Path(shutil.copytree(miniature_bundle, tmp_path / "bundle"))
    (target / "README.md").write_text("about this model")
    (old,) = (target / "weights").iterdir()
    with torch.no_grad():
        miniature.networks["denoiser"].get_parameter("conv.bias").add_(1.0)
    export_bundle(miniature, target, ExportOptions(overwrite=True))
    assert (target / "README.md").read_text() == "about this model"
    assert not old.exists()
    assert len(list((target / "weights").iterdir())) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]
    vidrt.Bundle(target).verify()


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_that_is_no_bundle_is_never_replaced(miniature: BundleSpec, tmp_path: Path, overwrite: bool) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.txt").write_text("years of work")
    with pytest.raises(vidrt.InvalidArgument, match=r"is no bundle \(it has no manifest.json\) and not empty"):
        export_bundle(miniature, tmp_path / "home", ExportOptions(overwrite=overwrite))
    assert (tmp_path / "home" / "thesis.txt").read_text() == "years of work"


def test_a_target_that_is_a_file_is_refused(miniature: BundleSpec, tmp_path: Path) -> None:
    (tmp_path / "bundle").write_text("")
    with pytest.raises(vidrt.InvalidArgument, match="is a file; expected a folder"):
        export_bundle(miniature, tmp_path / "bundle", ExportOptions())


def test_an_interrupted_export_leaves_the_old_bundle_and_nothing_else(
    miniature: BundleSpec, miniature_bundle: Path, tmp_path: Path
) -> None:
    target = Path(shutil.copytree(miniature_bundle, tmp_path / "bundle"))
    before = {path: path.read_bytes() for path in target.rglob("*") if path.is_file()}

    def interrupt(what: str, done: int, total: int) -> None:
        if what.startswith("opening"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_bundle(miniature, target, ExportOptions(overwrite=True), interrupt)
    assert {path: path.read_bytes() for path in target.rglob("*") if path.is_file()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_a_full_disk_is_one_error_and_leaves_nothing(
    miniature: BundleSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(part_export, "write_weights", full)
    with pytest.raises(vidrt.IoError, match="cannot be written: No space left on device"):
        export_bundle(miniature, tmp_path / "bundle", ExportOptions())
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_one_error(miniature: BundleSpec, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(vidrt.IoError, match=r"cannot be written: (Not a directory|File exists)"):
        export_bundle(miniature, tmp_path / "file" / "bundle", ExportOptions())


def test_a_scheduler_that_the_core_does_not_run_is_refused_before_anything_is_made(
    miniature: BundleSpec, tmp_path: Path
) -> None:
    odd = dataclasses.replace(miniature, scheduler={"_class_name": "LCMScheduler"})
    with pytest.raises(vidrt.InvalidArgument, match=r"the scheduler of miniature: .*LCMScheduler"):
        export_bundle(odd, tmp_path / "bundle", ExportOptions(), lambda what, done, total: pytest.fail("began"))
    assert list(tmp_path.iterdir()) == []


def test_the_defaults_of_distilled_checkpoints_are_told_to_the_bundle(
    miniature: BundleSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "find_family", lambda name: Family("miniature", "", lambda source: miniature))
    target = tmp_path / "bundle"
    arguments = ["miniature", str(target), "--seed", "0", "--default-steps", "3"]
    assert cli.main([*arguments, "--default-guidance-scale", "1.5"]) == 0
    video = vidrt.TextToVideoPipeline(target)("a", seed=0)
    assert video.metadata.num_inference_steps == 3
    assert video.metadata.guidance_scale == 1.5
    miniature = dataclasses.replace(miniature, scheduler=None)
    with pytest.raises(vidrt.InvalidArgument, match="is a decoder alone, which takes no steps"):
        cli.main([*arguments, "--overwrite"])


def test_what_the_reader_refuses_never_reaches_the_target(miniature: BundleSpec, tmp_path: Path) -> None:
    odd = dataclasses.replace(miniature, defaults=dataclasses.replace(miniature.defaults, height=1000))
    with pytest.raises(vidrt.BundleError, match=r"defaults\.height"):
        export_bundle(odd, tmp_path / "bundle", ExportOptions())
    assert list(tmp_path.iterdir()) == []


def _edit_manifest(folder: Path) -> None:
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["modules"]["denoiser"]["variants"][0]["tensors"]["outputs"][0]["name"] = "noise"
    path.write_text(json.dumps(manifest))


def _edit_graph(folder: Path) -> None:
    path = folder / "denoiser.fp32.onnx"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _edit_weights(folder: Path) -> None:
    (path,) = (folder / "weights").iterdir()
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("edit", [_edit_manifest, _edit_graph, _edit_weights])
def test_a_bundle_edited_by_hand_is_refused_by_the_reader(
    miniature_bundle: Path, tmp_path: Path, edit: Callable[[Path], Any]
) -> None:
    folder = Path(shutil.copytree(miniature_bundle, tmp_path / "bundle"))
    vidrt.Bundle(folder).verify()
    edit(folder)
    with pytest.raises(vidrt.BundleError, match=r"denoiser|weights"):
        vidrt.Bundle(folder).verify()


def test_progress_counts_every_part_once(miniature: BundleSpec, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    export_bundle(miniature, tmp_path / "bundle", ExportOptions(), lambda *event: told.append(event))
    assert [done for _, done, _ in told] == list(range(len(told)))
    assert {total for _, _, total in told} == {len(told) - 1}
    assert told[-1][0] == "done"
