"""Folders that are not what they should be: one error that names the file, before a weight is read."""

from __future__ import annotations

import json
import re
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import vidrt
from vidrt.export import cli
from vidrt.export.models.wan import load
from vidrt.export.registry import ModelSource
from vidrt.export.wan.folder import read_folder


@pytest.fixture
def folder(wan_folder: Callable[[str], tuple[Any, Path]], tmp_path: Path) -> Path:
    """A copy of the toy folder, to spoil."""
    _, original = wan_folder("wan2.1")
    return Path(shutil.copytree(original, tmp_path / "toy"))


def _edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_weights_are_mapped_and_tied_ones_shared(folder: Path) -> None:
    model = read_folder(folder)
    stored = load_file(folder / "transformer" / "diffusion_pytorch_model.safetensors")
    for name, tensor in model.transformer.state_dict().items():
        assert torch.equal(tensor, stored[name])
    encoder = model.text_encoder
    assert encoder.shared.weight.data_ptr() == encoder.encoder.embed_tokens.weight.data_ptr()
    assert not any(tensor.is_meta for tensor in encoder.state_dict().values())


def test_weights_of_a_variant_are_found_by_its_name(folder: Path) -> None:
    for component in ("transformer", "vae"):
        path = folder / component / "diffusion_pytorch_model.safetensors"
        path.rename(path.with_name("diffusion_pytorch_model.fp16.safetensors"))
    for path in sorted((folder / "text_encoder").glob("model*.safetensors*")):
        name = "model.fp16.safetensors.index.json" if path.suffix == ".json" else path.name
        path.rename(path.with_name(name))
    with pytest.raises(vidrt.InvalidArgument, match=r"has neither .* --weights-variant"):
        read_folder(folder)
    assert read_folder(folder, "fp16").transformer.proj_out.weight.dtype == torch.float32


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"_class_name": "CogVideoXPipeline"}, "is of a 'CogVideoXPipeline', expected WanPipeline or"),
        ({"_class_name": "WanImageToVideoPipeline"}, "takes the image as additional channels"),
        ({"transformer_2": ["diffusers", "WanTransformer3DModel"]}, "has two denoisers (transformer_2)"),
        ({"boundary_ratio": 0.9}, "has two denoisers"),
        ({"image_encoder": ["transformers", "CLIPVisionModel"]}, "has a CLIP image encoder"),
        ({"vae": ["diffusers", "AutoencoderKL"]}, "vae is 'AutoencoderKL', expected 'AutoencoderKLWan'"),
        ({"expand_timesteps": "yes"}, "expand_timesteps is 'yes', expected true or false"),
    ],
)
def test_models_that_are_not_supported_are_refused_by_name(folder: Path, changes: dict[str, Any], message: str) -> None:
    _edit(folder / "model_index.json", **changes)
    with pytest.raises(vidrt.InvalidArgument, match=re.escape(message)):
        read_folder(folder)


@pytest.mark.parametrize(
    ("component", "changes", "message"),
    [
        ("transformer", {"in_channels": 36}, "takes 36 channels and gives 4"),
        ("transformer", {"image_dim": 1280}, "attends to an image's CLIP embeddings"),
        ("transformer", {"patch_size": [2, 2, 2]}, "patch_size is [2, 2, 2], expected three numbers, the first 1"),
        ("transformer", {"head_dimension": 3}, "has the keys head_dimension, which WanTransformer3DModel"),
        ("transformer", {"num_layers": 10**9}, "num_layers is 1000000000, expected numbers up to 512"),
        ("transformer", {"num_layers": "two"}, "describes no model that can be built"),
        (
            "transformer",
            {"text_dim": 64},
            "embeddings have 32 columns, but the transformer takes 64",
        ),
        ("transformer", {"ffn_dim": 49}, "of another shape: blocks.0.ffn"),
        ("transformer", {"_class_name": "FluxTransformer2DModel"}, "is of a 'FluxTransformer2DModel'"),
        ("vae", {"z_dim": 5}, "z_dim is 5, but the transformer's latents have 4 channels"),
        ("vae", {"scale_factor_spatial": 16}, "scale_factor_spatial is 16, but the layers scale by 8"),
        ("vae", {"scale_factor_temporal": 8}, "scale_factor_temporal is 8, but the layers scale by 4"),
        ("vae", {"latents_mean": [0.0]}, "latents_mean has 1 numbers, expected z_dim = 4"),
        ("vae", {"latents_std": [1.0, 0.0, 1.0, 1.0]}, "expected latents_std without zeros"),
        ("text_encoder", {"model_type": "t5"}, "is of a 't5', expected 'umt5'"),
        ("text_encoder", {"num_layers": 0}, "num_layers is 0, expected a positive whole number"),
        ("text_encoder", {"vocab_size": 513}, "of another shape: shared.weight"),
    ],
)
def test_configurations_that_do_not_fit_are_refused(
    folder: Path, component: str, changes: dict[str, Any], message: str
) -> None:
    _edit(folder / component / "config.json", **changes)
    with pytest.raises(vidrt.InvalidArgument, match=re.escape(message)):
        read_folder(folder)


@pytest.mark.parametrize(
    ("positions", "num_frames", "side"),
    # A side's token is 16 pixels, a latent frame 4 frames. The published models have 1024 positions.
    [(1024, 1025, 2048), (257, 1025, 2048), (256, 1021, 2048), (100, 397, 1600), (20, 77, 320)],
)
def test_limits_are_what_the_rotary_table_allows(folder: Path, positions: int, num_frames: int, side: int) -> None:
    _edit(folder / "transformer" / "config.json", rope_max_seq_len=positions)
    spec = load(ModelSource(folder))
    assert {name: limit.max for name, limit in spec.limits.items()} == {
        "height": side,
        "width": side,
        "num_frames": num_frames,
    }
    assert (spec.defaults.height, spec.defaults.width) == (min(480, side), min(832, side))
    assert spec.defaults.num_frames == min(81, num_frames)
    extents = {module.name: module.extents for module in spec.modules}
    latent_frames = (num_frames - 1) // 4 + 1
    assert extents["denoiser"]["T"].max == extents["vae_decoder_next"]["k"].max == latent_frames
    assert extents["denoiser"]["h"].max * 8 == side


def test_a_missing_shard_is_named(folder: Path) -> None:
    shard = sorted((folder / "text_encoder").glob("*.safetensors"))[1]
    shard.unlink()
    with pytest.raises(vidrt.InvalidArgument, match=rf"lacks 1 of its \d+ shards: {re.escape(shard.name)}"):
        read_folder(folder)


@pytest.mark.parametrize("name", ["../../secret.safetensors", "/etc/passwd", "..", ""])
def test_an_index_may_not_leave_its_folder(folder: Path, name: str) -> None:
    index = folder / "text_encoder" / "model.safetensors.index.json"
    _edit(index, weight_map={"shared.weight": name})
    with pytest.raises(vidrt.InvalidArgument, match=r"expected one of its own folder|shards"):
        read_folder(folder)


@pytest.mark.parametrize("spoil", ["cut", "longer", "huge", "text"])
def test_a_file_of_weights_that_lies_is_refused(folder: Path, spoil: str) -> None:
    path = folder / "transformer" / "diffusion_pytorch_model.safetensors"
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    spoiled = {
        "cut": content[:-5],
        "longer": content[:8]
        + content[8 : 8 + length].replace(b'"shape":[48]', b'"shape":[99]')
        + content[8 + length :],
        "huge": struct.pack("<Q", 2**60) + content[8:],
        "text": b"not a file of weights at all",
    }[spoil]
    path.write_bytes(spoiled)
    with pytest.raises(vidrt.InvalidArgument, match=r"diffusion_pytorch_model\.safetensors is damaged: .* Download"):
        read_folder(folder)


def test_weights_of_another_dtype_or_name_are_listed(folder: Path) -> None:
    path = folder / "transformer" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(path)
    tensors["proj_out.bias"] = tensors["proj_out.bias"].to(torch.int32)
    tensors["extra"] = tensors.pop("proj_out.weight")
    save_file(tensors, path)
    message = r"1 missing: proj_out\.weight; 1 unknown: extra; 1 of a dtype .*: proj_out\.bias \(I32\)"
    with pytest.raises(vidrt.InvalidArgument, match=message):
        read_folder(folder)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("model_index.json", None, "has no model_index.json; expected the folder of a diffusers pipeline"),
        ("model_index.json", "[1]", "holds list, expected a JSON object"),
        ("vae/config.json", "{", "cannot be read: "),
        ("vae/config.json", None, "cannot be read: No such file or directory"),
        ("scheduler/scheduler_config.json", "[" * 100_000, "cannot be read: "),
    ],
)
def test_files_that_are_missing_or_no_json_are_named(
    folder: Path, name: str, content: str | None, message: str
) -> None:
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_text(content)
    with pytest.raises(vidrt.InvalidArgument, match=re.escape(message)):
        load(ModelSource(folder))


def test_the_command_takes_a_folder_and_refuses_what_is_none(tmp_path: Path) -> None:
    with pytest.raises(vidrt.InvalidArgument, match=r"got 1 paths .*, expected CHECKPOINT and BUNDLE, or --seed N"):
        cli.main(["wan", str(tmp_path / "bundle")])
    with pytest.raises(vidrt.InvalidArgument, match=r"the checkpoint .* does not exist"):
        cli.main(["wan", str(tmp_path / "missing"), str(tmp_path / "bundle")])
    with pytest.raises(vidrt.InvalidArgument, match="wan has no weights of its own"):
        cli.main(["wan", "--seed", "1", str(tmp_path / "bundle")])
    with pytest.raises(vidrt.InvalidArgument, match=r"got 2 paths .*, expected BUNDLE alone"):
        cli.main(["wan", "--seed", "1", "a", "b"])
    assert list(tmp_path.iterdir()) == []
