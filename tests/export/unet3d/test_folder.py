"""Folders that are not what they should be: one error that names the file, before a weight is read."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import DPMSolverMultistepScheduler, PNDMScheduler
from safetensors.torch import load_file, save_file

import vidrt
from vidrt.export import cli
from vidrt.export.models.unet3d import load
from vidrt.export.options import check_scheduler
from vidrt.export.registry import ModelSource
from vidrt.export.unet3d.folder import read_folder


@pytest.fixture
def folder(unet3d_folder: Callable[[str], tuple[Any, Path]], tmp_path: Path) -> Path:
    """A copy of the toy folder, to spoil."""
    _, original = unet3d_folder("modelscope")
    return Path(shutil.copytree(original, tmp_path / "toy"))


def _edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_defaults_are_those_of_the_pipeline(folder: Path) -> None:
    spec = load(ModelSource(folder))
    assert (spec.defaults.height, spec.defaults.width) == (32, 32)
    assert (spec.defaults.num_frames, spec.defaults.num_inference_steps) == (16, 50)
    assert (spec.defaults.guidance_scale, spec.defaults.fps) == (9.0, 8.0)
    assert spec.tokenizer is not None
    assert (spec.tokenizer.kind, spec.tokenizer.max_length) == ("clip_bpe", 77)


def test_weights_are_mapped(folder: Path) -> None:
    model = read_folder(folder)
    stored = load_file(folder / "unet" / "diffusion_pytorch_model.safetensors")
    assert all(torch.equal(tensor, stored[name]) for name, tensor in model.unet.state_dict().items())
    networks = (model.text_encoder, model.unet, model.vae)
    assert not any(tensor.is_meta for network in networks for tensor in network.state_dict().values())


def test_names_of_older_libraries_are_understood(folder: Path) -> None:
    """As published folders have them: `text_model.` before names, the VAE's attention as Stable Diffusion named it."""
    expected = read_folder(folder)
    path = folder / "text_encoder" / "model.safetensors"
    old = {f"text_model.{name}": tensor for name, tensor in load_file(path).items()}
    save_file({**old, "text_model.embeddings.position_ids": torch.arange(77)[None]}, path)
    path = folder / "vae" / "diffusion_pytorch_model.safetensors"
    old = load_file(path)
    for new, name in (("to_q", "query"), ("to_k", "key"), ("to_v", "value"), ("to_out.0", "proj_attn")):
        for part in ("encoder", "decoder"):
            layer = f"{part}.mid_block.attentions.0"
            for kind in ("weight", "bias"):
                old[f"{layer}.{name}.{kind}"] = old.pop(f"{layer}.{new}.{kind}")
    save_file(old, path)
    model = read_folder(folder)
    for network in ("text_encoder", "vae"):
        states = getattr(model, network).state_dict(), getattr(expected, network).state_dict()
        assert all(torch.equal(tensor, states[1][name]) for name, tensor in states[0].items())


def test_weights_of_a_variant_are_found_by_its_name(folder: Path) -> None:
    for path in (*folder.glob("*/diffusion_pytorch_model.safetensors"), *folder.glob("*/model.safetensors")):
        path.rename(path.with_suffix(".fp16.safetensors"))
    with pytest.raises(vidrt.InvalidArgument, match=r"has neither .* --weights-variant"):
        read_folder(folder)
    assert not read_folder(folder, "fp16").unet.conv_in.weight.is_meta


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"_class_name": "StableDiffusionPipeline", "unet": ["diffusers", "UNet2DConditionModel"]},
            "is of a 'StableDiffusionPipeline', expected TextToVideoSDPipeline: ModelScope's or ZeroScope's. Its UNet "
            "makes images, not videos.",
        ),
        (
            {"_class_name": "WanPipeline", "transformer": ["diffusers", "WanTransformer3DModel"]},
            "Export it with: vidrt export wan.",
        ),
        ({"_class_name": "VideoToVideoSDPipeline"}, "is of a 'VideoToVideoSDPipeline'"),
        ({"vae": None}, "vae is None, expected 'AutoencoderKL'"),
        ({"unet": ["diffusers", "UNetMotionModel"]}, "unet is 'UNetMotionModel', expected 'UNet3DConditionModel'"),
        (
            {"text_encoder": ["transformers", "T5EncoderModel"]},
            "text_encoder is 'T5EncoderModel', expected 'CLIPTextModel'",
        ),
    ],
)
def test_other_pipelines_are_refused_by_name(folder: Path, changes: dict[str, Any], message: str) -> None:
    _edit(folder / "model_index.json", **changes)
    with pytest.raises(vidrt.InvalidArgument, match=re.escape(message)):
        read_folder(folder)


@pytest.mark.parametrize(
    ("component", "changes", "message"),
    [
        ("unet", {"in_channels": 9}, "takes 9 channels and gives 4"),
        ("unet", {"down_block_types": ["DownBlockMotion"] * 4}, "down_block_types is ['DownBlockMotion'"),
        (
            "unet",
            {"up_block_types": [{}]},
            "up_block_types is [{}], expected a list of CrossAttnUpBlock3D and UpBlock3D",
        ),
        ("unet", {"block_out_channels": [8] * 9}, "expected a list of the widths of 1 to 8 levels"),
        ("unet", {"block_out_channels": 8}, "block_out_channels is 8, expected a list"),
        ("unet", {"layers_per_block": 10**6}, "layers_per_block is 1000000, expected 1 to 16"),
        ("unet", {"block_out_channels": [8, 16, 16, 2**40]}, "expected numbers up to"),
        ("unet", {"attention_head_dim": "four"}, "describes no model that can be built"),
        ("unet", {"time_cond_proj_dim": 256}, "time_cond_proj_dim is 256, expected null"),
        ("unet", {"sample_size": None}, "sample_size is None, expected the side of square latents"),
        ("unet", {"_class_name": "UNet2DConditionModel"}, "is of a 'UNet2DConditionModel'"),
        ("unet", {"future": 1}, "has the keys future, which UNet3DConditionModel"),
        ("unet", {"cross_attention_dim": 64}, "embeddings have 32 columns, but the UNet takes 64"),
        ("unet", {"attention_head_dim": 8}, "of another shape: transformer_in"),
        ("vae", {"latent_channels": 8}, "latent_channels is 8, but the UNet's latents have 4"),
        ("vae", {"out_channels": 4}, "out_channels is 4 and up_block_types"),
        ("vae", {"in_channels": 4}, "in_channels is 4 and down_block_types"),
        ("vae", {"scaling_factor": 0}, "scaling_factor is 0, expected a number greater than 0"),
        ("vae", {"shift_factor": 0.1}, "shift_factor is 0.1, expected null"),
        ("vae", {"latents_mean": [0.0] * 4}, "latents_mean is [0.0, 0.0, 0.0, 0.0], expected null"),
        ("text_encoder", {"model_type": "t5"}, "is of a 't5', expected 'clip_text_model'"),
        ("text_encoder", {"hidden_size": -1}, "hidden_size is -1, expected a positive whole number"),
        ("text_encoder", {"use_attention_mask": "yes"}, "use_attention_mask is 'yes', expected true or false"),
        ("text_encoder", {"num_attention_heads": 5}, "describes no model that can be built"),
    ],
)
def test_configurations_that_do_not_fit_are_refused(
    folder: Path, component: str, changes: dict[str, Any], message: str
) -> None:
    _edit(folder / component / "config.json", **changes)
    with pytest.raises(vidrt.InvalidArgument, match=re.escape(message)):
        read_folder(folder)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("model_index.json", "expected the folder of a diffusers pipeline, as damo-vilab/text-to-video-ms-1.7b."),
        ("unet/config.json", "cannot be read: No such file or directory"),
        ("vae/diffusion_pytorch_model.safetensors", "has neither diffusion_pytorch_model.safetensors nor"),
        ("scheduler/scheduler_config.json", "cannot be read: No such file or directory"),
        ("tokenizer/tokenizer_config.json", "model_max_length is"),
    ],
)
def test_a_missing_file_is_named(folder: Path, name: str, message: str) -> None:
    (folder / name).unlink()
    with pytest.raises(vidrt.InvalidArgument, match=re.escape(message)):
        load(ModelSource(folder))


def test_more_tokens_than_the_text_encoder_has_positions_are_refused(folder: Path) -> None:
    _edit(folder / "tokenizer" / "tokenizer_config.json", model_max_length=78)
    with pytest.raises(vidrt.InvalidArgument, match="model_max_length is 78, but the text encoder has 77 positions"):
        load(ModelSource(folder))


def test_a_scheduler_that_the_core_does_not_have_is_refused_and_nothing_is_written(
    folder: Path, tmp_path: Path
) -> None:
    PNDMScheduler().save_pretrained(folder / "scheduler")
    with pytest.raises(vidrt.InvalidArgument, match=r"the scheduler of toy: .*PNDMScheduler"):
        cli.main(["unet3d", str(folder), str(tmp_path / "bundle")])
    assert not (tmp_path / "bundle").exists()


def test_the_infinity_that_diffusers_writes_for_a_solver_becomes_null(folder: Path) -> None:
    DPMSolverMultistepScheduler().save_pretrained(folder / "scheduler")
    assert "-Infinity" in (folder / "scheduler" / "scheduler_config.json").read_text()
    spec = load(ModelSource(folder))
    assert spec.scheduler is not None
    assert spec.scheduler["lambda_min_clipped"] is None
    check_scheduler(spec)


def test_the_family_has_no_weights_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(vidrt.InvalidArgument, match="unet3d has no weights of its own"):
        cli.main(["unet3d", "--seed", "1", str(tmp_path / "bundle")])
