"""An interrupted export goes on from its finished parts, when it is the same export, and leaves nothing otherwise."""

from __future__ import annotations

import dataclasses
import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx_ir as ir
import pytest
from torch import nn

import vidrt
from vidrt.engine.file_lock import locked
from vidrt.export import cli, parity, part_export, to_onnx
from vidrt.export.errors import ExportError
from vidrt.export.exporter import export_bundle
from vidrt.export.options import ExportOptions
from vidrt.export.registry import Family
from vidrt.export.spec import BundleSpec, ModuleSpec, Part

_traced: dict[str, ir.Model] = {}


@pytest.fixture(autouse=True)
def _trace_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trace each of the miniature's modules once for all tests: what they test comes after it."""

    def trace(spec: ModuleSpec, module: nn.Module) -> ir.Model:
        if spec.name not in _traced:
            _traced[spec.name] = to_onnx.trace(spec, module)
        return _traced[spec.name].clone()

    monkeypatch.setattr(part_export, "trace", trace)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """The file that the weights are said to come from."""
    path = tmp_path / "checkpoint"
    path.write_text("weights")
    return path


@pytest.fixture
def in_parts(miniature: BundleSpec, source: Path) -> BundleSpec:
    """The miniature, each module a part."""
    parts = tuple(Part({module.name: miniature.networks[module.name]}, (module,)) for module in miniature.modules)
    return dataclasses.replace(miniature, parts=parts, sources=(source,))


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Where the bundle is to lie, in a folder of its own."""
    return tmp_path / "out" / "bundle"


def _interrupt_at(step: str) -> Callable[[str, int, int], None]:
    def interrupt(what: str, done: int, total: int) -> None:
        if what == step:
            raise KeyboardInterrupt

    return interrupt


def _interrupted(spec: BundleSpec, target: Path, step: str = "tracing vae_decoder") -> str:
    """Interrupt an export, and return what is said of it."""
    with pytest.raises(KeyboardInterrupt) as caught:
        export_bundle(spec, target, ExportOptions(), _interrupt_at(step))
    return " ".join(getattr(caught.value, "__notes__", ()))


def _tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_same_export_goes_on_and_gives_the_same_bundle(in_parts: BundleSpec, target: Path, tmp_path: Path) -> None:
    said = _interrupted(in_parts, target)
    (staging,) = target.parent.iterdir()
    assert f"What is finished stays in {staging}" in said

    begun: list[tuple[str, int]] = []
    summary = export_bundle(in_parts, target, ExportOptions(), lambda what, done, total: begun.append((what, done)))
    assert summary.resumed == ("text_encoder", "denoiser")
    assert begun[0] == ("tracing vae_decoder", 6)
    assert list(target.parent.iterdir()) == [target]

    whole = export_bundle(in_parts, tmp_path / "whole", ExportOptions())
    assert whole.resumed == ()
    assert summary.graphs == whole.graphs
    assert summary.rewrites == whole.rewrites
    assert summary.weight_bytes == whole.weight_bytes
    assert _tree(target) == _tree(tmp_path / "whole")


@pytest.mark.parametrize("damaged", [False, True])
def test_within_a_part_a_module_is_compared_once(
    miniature: BundleSpec, source: Path, target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damaged: bool
) -> None:
    whole = Part(miniature.networks, tuple(miniature.modules))
    spec = dataclasses.replace(miniature, parts=(whole,), sources=(source,))
    said = _interrupted(spec, target, "comparing vae_decoder")
    (staging,) = target.parent.iterdir()
    assert f"What is finished stays in {staging}" in said
    if damaged:
        for record in (staging / ".finished").iterdir():
            record.write_text("{")

    compared: list[str] = []
    measure = parity.measure

    def counted(spec: ModuleSpec, *rest: Any) -> parity.Parity:
        compared.append(spec.name)
        return measure(spec, *rest)

    monkeypatch.setattr(parity, "measure", counted)
    summary = export_bundle(spec, target, ExportOptions())
    expected = {"vae_decoder", "text_encoder", "denoiser"} if damaged else {"vae_decoder"}
    assert set(compared) == expected
    assert summary.graphs == export_bundle(spec, tmp_path / "whole", ExportOptions()).graphs
    assert _tree(target) == _tree(tmp_path / "whole")


def test_what_was_finished_is_not_used_when_it_is_damaged(in_parts: BundleSpec, target: Path) -> None:
    _interrupted(in_parts, target)
    (staging,) = target.parent.iterdir()
    next(staging.glob("denoiser*.onnx")).write_bytes(b"short")
    (staging / ".finished" / "text_encoder.json").write_text("{")
    assert export_bundle(in_parts, target, ExportOptions()).resumed == ()
    vidrt.Bundle(target).verify()


@pytest.mark.parametrize("change", ["source", "options", "gone"])
def test_another_export_begins_anew_and_clears_what_was_left(
    in_parts: BundleSpec, target: Path, source: Path, change: str
) -> None:
    _interrupted(in_parts, target)
    options = ExportOptions()
    if change == "source":
        os.utime(source, (1, 1))
    elif change == "options":
        options = ExportOptions(storage="fp32")
    else:
        in_parts = dataclasses.replace(in_parts, sources=())
    assert export_bundle(in_parts, target, options).resumed == ()
    assert list(target.parent.iterdir()) == [target]


def test_what_is_left_of_other_targets_stays(in_parts: BundleSpec, target: Path) -> None:
    other = target.parent / "bundle.2"
    _interrupted(in_parts, other)
    export_bundle(in_parts, target, ExportOptions())
    assert export_bundle(in_parts, other, ExportOptions()).resumed == ("text_encoder", "denoiser")


def test_an_export_that_fails_leaves_nothing(in_parts: BundleSpec, target: Path) -> None:
    decoder = in_parts.parts[2]
    strict = dataclasses.replace(decoder.modules[0], tolerance={"fp32": -1.0})
    wrong = dataclasses.replace(in_parts, parts=(*in_parts.parts[:2], dataclasses.replace(decoder, modules=(strict,))))
    with pytest.raises(ExportError, match="differs from PyTorch"):
        export_bundle(wrong, target, ExportOptions())
    assert list(target.parent.iterdir()) == []


def test_nothing_is_left_where_nothing_was_finished(in_parts: BundleSpec, target: Path) -> None:
    assert _interrupted(in_parts, target, "tracing text_encoder") == ""
    assert list(target.parent.iterdir()) == []


def test_a_full_disk_keeps_what_is_finished_and_says_so(
    in_parts: BundleSpec, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = part_export.write_weights

    def full(root: Path, weights: dict[str, object], *rest: str) -> object:
        if any(name.startswith("vae_decoder") for name in weights):
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(root, weights, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(part_export, "write_weights", full)
    with pytest.raises(vidrt.IoError, match=r"No space left on device\. What is finished stays in .* goes on from"):
        export_bundle(in_parts, target, ExportOptions())
    monkeypatch.undo()
    assert export_bundle(in_parts, target, ExportOptions()).resumed == ("text_encoder", "denoiser")


def test_two_of_the_same_export_do_not_meet(in_parts: BundleSpec, target: Path) -> None:
    _interrupted(in_parts, target)
    (staging,) = target.parent.iterdir()
    with locked(staging.with_suffix(".lock"), None):
        with pytest.raises(vidrt.InvalidArgument, match="another process is writing"):
            export_bundle(in_parts, target, ExportOptions())
        assert export_bundle(in_parts, target, ExportOptions(storage="fp32")).resumed == ()
        assert staging.is_dir()  # somebody is at it


def test_a_source_that_is_gone_is_one_error(in_parts: BundleSpec, target: Path, source: Path) -> None:
    source.unlink()
    with pytest.raises(vidrt.InvalidArgument, match="checkpoint cannot be read: No such file"):
        export_bundle(in_parts, target, ExportOptions())


def test_the_command_line_says_what_is_kept_and_what_was_resumed(
    in_parts: BundleSpec,
    target: Path,
    source: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(cli, "find_family", lambda name: Family("miniature", "", lambda source: in_parts))
    decoder = in_parts.parts[2].modules[0]

    def interrupt() -> None:
        raise KeyboardInterrupt

    stopped = dataclasses.replace(decoder, build=interrupt)
    parts = in_parts.parts
    in_parts = dataclasses.replace(in_parts, parts=(*parts[:2], dataclasses.replace(parts[2], modules=(stopped,))))
    with pytest.raises(vidrt.Cancelled, match=r"the export was interrupted\. What is finished stays in .*\.partial"):
        cli.main(["miniature", str(source), str(target)])
    in_parts = dataclasses.replace(in_parts, parts=parts)
    assert cli.main(["miniature", str(source), str(target)]) == 0
    assert "text_encoder, denoiser: finished by an interrupted export before this" in capsys.readouterr().out
