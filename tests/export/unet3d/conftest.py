"""Folders of diffusers' TextToVideoSDPipeline at toy size, and the bundles that they become."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL, DDIMScheduler, TextToVideoSDPipeline, UNet3DConditionModel
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from vidrt.export.diffusers_folder import read_scheduler
from vidrt.export.models.unet3d import load
from vidrt.export.options import ExportOptions
from vidrt.export.registry import ModelSource

TRAINING = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": 1}


@dataclasses.dataclass(frozen=True)
class Toy:
    """A configuration: what is passed to the classes."""

    unet: dict[str, Any]
    vae: dict[str, Any]
    text_encoder: dict[str, Any]


def _vae_blocks(levels: int) -> dict[str, Any]:
    return {
        "down_block_types": ("DownEncoderBlock2D",) * levels,
        "up_block_types": ("UpDecoderBlock2D",) * levels,
    }


TOYS = {
    # ModelScope: four levels, of which the lowest has no attention; heads of one size.
    "modelscope": Toy(
        {"block_out_channels": (8, 16, 16, 24), "layers_per_block": 1, "attention_head_dim": 4, "norm_num_groups": 4},
        {**_vae_blocks(4), "block_out_channels": (8, 8, 12, 16), "norm_num_groups": 4},
        {},
    ),
    # Two levels, two layers each, other heads; a VAE without post_quant_conv; a text encoder that hides padding.
    "shallow": Toy(
        {
            "down_block_types": ("DownBlock3D", "CrossAttnDownBlock3D"),
            "up_block_types": ("CrossAttnUpBlock3D", "UpBlock3D"),
            "block_out_channels": (16, 24),
            "layers_per_block": 2,
            "attention_head_dim": 8,
            "norm_num_groups": 8,
        },
        {
            **_vae_blocks(2),
            "block_out_channels": (8, 16),
            "norm_num_groups": 8,
            "scaling_factor": 0.5,
            "use_quant_conv": False,
            "use_post_quant_conv": False,
        },
        {"use_attention_mask": True, "hidden_act": "gelu", "num_attention_heads": 2},
    ),
    # Kernels of more than 1 MiB: over two axes also where stored in fp16, over three in fp32.
    "wide": Toy(
        {
            "down_block_types": ("DownBlock3D", "DownBlock3D"),
            "up_block_types": ("UpBlock3D", "UpBlock3D"),
            "block_out_channels": (16, 320),
            "layers_per_block": 1,
            "attention_head_dim": 8,
            "norm_num_groups": 8,
        },
        {**_vae_blocks(2), "block_out_channels": (8, 16), "norm_num_groups": 8},
        {},
    ),
}


def _shaken(network: nn.Module) -> nn.Module:
    """With weights that all matter: as they are initialised, many are exactly zero or one."""
    for parameter in network.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    return network.eval().requires_grad_(False)


def unet_of(toy: Toy) -> UNet3DConditionModel:
    return _shaken(UNet3DConditionModel(sample_size=4, cross_attention_dim=32, **toy.unet))


def vae_of(toy: Toy) -> AutoencoderKL:
    return _shaken(AutoencoderKL(latent_channels=4, layers_per_block=1, **toy.vae))


def text_encoder_of(toy: Toy, vocabulary: int) -> CLIPTextModel:
    settings = {"num_attention_heads": 4, **toy.text_encoder}
    config = CLIPTextConfig(
        vocab_size=vocabulary,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        bos_token_id=vocabulary - 2,
        eos_token_id=vocabulary - 1,
        **settings,
    )
    return _shaken(CLIPTextModel(config))


def pipeline_of(toy: Toy, tokenizer_folder: Path) -> TextToVideoSDPipeline:
    """diffusers' own pipeline, the same for the same toy."""
    tokenizer = CLIPTokenizer.from_pretrained(tokenizer_folder)
    with torch.random.fork_rng():
        torch.manual_seed(4)
        return TextToVideoSDPipeline(
            vae=vae_of(toy),
            text_encoder=text_encoder_of(toy, len(tokenizer)),
            tokenizer=tokenizer,
            unet=unet_of(toy),
            scheduler=DDIMScheduler(clip_sample=False, set_alpha_to_one=False, **TRAINING),
        )


@dataclasses.dataclass(frozen=True)
class Unet3dToy:
    """diffusers' pipeline, its folder and the bundle made of it."""

    pipeline: TextToVideoSDPipeline
    folder: Path
    bundle: Path


@pytest.fixture(scope="session")
def unet3d_folder(
    tmp_path_factory: pytest.TempPathFactory, clip_folders: Any
) -> Callable[[str], tuple[TextToVideoSDPipeline, Path]]:
    """A toy's pipeline and its folder, by name."""
    made: dict[str, tuple[TextToVideoSDPipeline, Path]] = {}
    tokenizer = clip_folders.write(tmp_path_factory.mktemp("tokenizer") / "clip", clip_folders.config())

    def make(name: str) -> tuple[TextToVideoSDPipeline, Path]:
        if name not in made:
            pipeline = pipeline_of(TOYS[name], tokenizer)
            pipeline.set_progress_bar_config(disable=True)
            folder = tmp_path_factory.mktemp("folders") / name
            pipeline.save_pretrained(folder)
            made[name] = pipeline, folder
        return made[name]

    return make


@pytest.fixture(scope="session", params=["shallow", pytest.param("modelscope", marks=pytest.mark.slow)])
def unet3d_toy(
    request: pytest.FixtureRequest,
    exported_once: Callable[..., Path],
    unet3d_folder: Callable[[str], tuple[TextToVideoSDPipeline, Path]],
) -> Unet3dToy:
    """Each toy, stored in fp32."""
    pipeline, folder = unet3d_folder(request.param)
    bundle = exported_once(f"unet3d-{request.param}", load(ModelSource(folder)), ExportOptions(storage="fp32"))
    return Unet3dToy(pipeline, folder, bundle)


@pytest.fixture
def with_scheduler(tmp_path: Path) -> Callable[[Path, Any], Path]:
    """A copy of a bundle with another scheduler's configuration: what an export of a folder with it would write."""

    def swap(bundle: Path, scheduler: Any) -> Path:
        copy = tmp_path / "bundle"
        shutil.copytree(bundle, copy)
        manifest = json.loads((bundle / "manifest.json").read_text())
        scheduler.save_pretrained(tmp_path / "scheduler")
        manifest["scheduler"] = read_scheduler(tmp_path / "scheduler")
        (copy / "manifest.json").write_text(json.dumps(manifest))
        return copy

    return swap
