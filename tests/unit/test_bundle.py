"""Bundles: what Python sees of a good one, and how a bad one is refused."""

import json
from pathlib import Path

import pytest

import vidrt


def edit(bundle: Path, change) -> None:
    manifest = json.loads((bundle / "manifest.json").read_text())
    change(manifest)
    (bundle / "manifest.json").write_text(json.dumps(manifest))


def first_variant(manifest) -> dict:
    return manifest["modules"]["denoiser"]["variants"][0]


def test_a_bundle_shows_its_manifest(pocket_bundle):
    bundle = vidrt.Bundle(pocket_bundle)
    written = json.loads((pocket_bundle / "manifest.json").read_text())
    assert bundle.to_dict() == written
    assert bundle.name == written["name"]
    assert set(bundle.modules) == set(written["modules"])
    variant = bundle.modules["denoiser"].variants[0]
    assert [spec.name for spec in variant.inputs][:2] == ["latents", "timestep"]
    assert variant.inputs[0].shape[1] == str(bundle.manifest.vae.latent_channels)
    assert bundle.resolve(variant.file).is_file()
    assert variant.weight_bytes > 0
    assert "denoiser" in repr(bundle)


def test_words_that_exclude_each_other_can_be_asked(pocket_bundle):
    words = vidrt.Bundle(pocket_bundle).manifest.exclusive_words
    assert ["purple", "violet"] in words["colour"]
    assert set(words) == {"shape", "colour", "size", "motion", "speed", "background"}


def test_the_tokenizer_can_be_asked(pocket_bundle):
    tokens = vidrt.Bundle(pocket_bundle).tokenizer.encode("a red quokka")
    assert tokens.unknown_words == ["quokka"]
    assert len(tokens.ids) == 4


def test_verify_accepts_the_shipped_weights(pocket_bundle):
    vidrt.Bundle(pocket_bundle).verify()


def test_verify_names_the_weight_file_that_was_changed(bundle_copy):
    name = next(iter(json.loads((bundle_copy / "manifest.json").read_text())["data_files"]))
    data = bytearray((bundle_copy / name).read_bytes())
    data[-1] ^= 1
    (bundle_copy / name).write_bytes(data)
    with pytest.raises(vidrt.BundleError, match=Path(name).name):
        vidrt.Bundle(bundle_copy).verify()


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(vidrt.BundleError, match="nowhere"):
        vidrt.Bundle(tmp_path / "nowhere")


def test_a_missing_graph_is_named(bundle_copy):
    file = first_variant(json.loads((bundle_copy / "manifest.json").read_text()))["file"]
    (bundle_copy / file).unlink()
    with pytest.raises(vidrt.BundleError, match=Path(file).name):
        vidrt.TextToVideoPipeline(bundle_copy)


def test_a_truncated_weight_file_is_refused(bundle_copy):
    name = next(iter(json.loads((bundle_copy / "manifest.json").read_text())["data_files"]))
    data = (bundle_copy / name).read_bytes()
    (bundle_copy / name).write_bytes(data[: len(data) // 2])
    with pytest.raises(vidrt.BundleError, match=Path(name).name):
        vidrt.TextToVideoPipeline(bundle_copy)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda manifest: manifest.update(schema_version=999), "999"),
        (lambda manifest: manifest.update(surprise=1), "surprise"),
        (lambda manifest: manifest.pop("vae"), "vae"),
        (lambda manifest: manifest["limits"]["height"].update(step=0), "step"),
        (lambda manifest: manifest["vae"].update(latent_channels=10**12), "latent_channels"),
        (
            lambda manifest: manifest["text"].update(exclusive_words={"size": [["big"]]}),
            r"exclusive_words.*an array of 2",
        ),
        (lambda manifest: first_variant(manifest).update(file="../../secret.onnx"), r"secret\.onnx"),
        (lambda manifest: first_variant(manifest).update(file="/etc/passwd"), "passwd"),
        (lambda manifest: first_variant(manifest).update(sha256="0" * 64), "denoiser"),
    ],
    ids=["future", "unknown-key", "missing-key", "zero-step", "absurd", "lone-word", "leaves", "absolute", "hash"],
)
def test_an_edited_manifest_is_refused_naming_the_place(bundle_copy, change, message):
    edit(bundle_copy, change)
    with pytest.raises(vidrt.BundleError, match=message):
        vidrt.TextToVideoPipeline(bundle_copy)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"schema_version": "1"}', "\x00\xff"])
def test_a_manifest_that_is_none_is_refused(bundle_copy, text):
    (bundle_copy / "manifest.json").write_text(text)
    with pytest.raises(vidrt.BundleError):
        vidrt.Bundle(bundle_copy)


def test_a_symbolic_link_out_of_the_folder_is_refused(bundle_copy, tmp_path):
    file = bundle_copy / first_variant(json.loads((bundle_copy / "manifest.json").read_text()))["file"]
    outside = tmp_path / "outside.onnx"
    file.rename(outside)
    file.symlink_to(outside)
    with pytest.raises(vidrt.BundleError):
        vidrt.TextToVideoPipeline(bundle_copy)
