"""Folders of diffusers' Wan pipelines at toy size, and the bundles that they become."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKLWan, UniPCMultistepScheduler, WanPipeline, WanTransformer3DModel
from diffusers.schedulers import scheduling_flow_match_lcm
from torch import nn
from transformers import T5Tokenizer, UMT5Config, UMT5EncoderModel

from vidrt import _core
from vidrt.engine.precision import EVERY_MODULE
from vidrt.export.models.wan import load
from vidrt.export.options import ExportOptions
from vidrt.export.registry import ModelSource


@dataclasses.dataclass(frozen=True)
class Toy:
    """A configuration: what is passed to the classes, and whether timesteps are expanded."""

    transformer: dict[str, Any]
    vae: dict[str, Any]
    expand_timesteps: bool = False


_STATISTICS = {"latents_mean": [0.1, -0.2, 0.3, 0.4], "latents_std": [1.0, 2.0, 0.5, 1.5]}
_VAE = {"z_dim": 4, "num_res_blocks": 1, "base_dim": 8, **_STATISTICS}
_FOURFOLD: dict[str, Any] = {"dim_mult": [1, 2, 2, 2], "temperal_downsample": [False, True, True]}
TOYS = {
    # Wan2.1: plain blocks, one timestep a sample, wider inside than its base.
    "wan2.1": Toy({"num_attention_heads": 2, "attention_head_dim": 24}, {**_VAE, **_FOURFOLD}),
    # Wan2.2-TI2V: residual blocks, patches, a decoder wider than the encoder.
    "wan2.2": Toy(
        {"num_attention_heads": 3, "attention_head_dim": 16},
        {
            **_VAE,
            **_FOURFOLD,
            "decoder_base_dim": 12,
            "is_residual": True,
            "in_channels": 12,
            "out_channels": 12,
            "patch_size": 2,
            "scale_factor_spatial": 16,
        },
        expand_timesteps=True,
    ),
    # Fewer levels: fewer caches, two frames a latent frame; an odd number of heads, of the smallest size.
    "shallow": Toy(
        {"num_attention_heads": 5, "attention_head_dim": 6, "num_layers": 1},
        {
            **_VAE,
            "dim_mult": [1, 2],
            "temperal_downsample": [True],
            "scale_factor_spatial": 2,
            "scale_factor_temporal": 2,
        },
    ),
}


def _shaken(network: nn.Module) -> nn.Module:
    """With weights that all matter: as they are initialised, many are exactly zero or one."""
    for parameter in network.parameters():
        parameter.data += 0.02 * torch.randn_like(parameter)
    return network.eval().requires_grad_(False)


def transformer_of(toy: Toy) -> WanTransformer3DModel:
    settings = {"num_layers": 2, **toy.transformer}
    return _shaken(
        WanTransformer3DModel(
            in_channels=4, out_channels=4, text_dim=32, freq_dim=32, ffn_dim=48, rope_max_seq_len=64, **settings
        )
    )


def vae_of(toy: Toy) -> AutoencoderKLWan:
    return _shaken(AutoencoderKLWan(**toy.vae))


def _text_encoder() -> UMT5EncoderModel:
    sizes = {"vocab_size": 512, "d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4}
    return _shaken(UMT5EncoderModel(UMT5Config(feed_forward_proj="gated-gelu", **sizes)))


def pipeline_of(toy: Toy, tokenizer: Path) -> WanPipeline:
    """diffusers' own pipeline, the same for the same toy."""
    with torch.random.fork_rng():
        torch.manual_seed(4)
        return WanPipeline(
            tokenizer=T5Tokenizer.from_pretrained(tokenizer, extra_ids=0),
            text_encoder=_text_encoder(),
            transformer=transformer_of(toy),
            vae=vae_of(toy),
            scheduler=UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0),
            expand_timesteps=toy.expand_timesteps,
        )


def save(pipeline: WanPipeline, folder: Path, tokenizer: Path) -> None:
    """Write the folder as it is published: the text encoder in shards."""
    pipeline.transformer.save_pretrained(folder / "transformer")
    pipeline.vae.save_pretrained(folder / "vae")
    pipeline.text_encoder.save_pretrained(folder / "text_encoder", max_shard_size="50KB")
    pipeline.scheduler.save_pretrained(folder / "scheduler")
    (folder / "tokenizer").symlink_to(tokenizer)
    index = {
        "_class_name": "WanPipeline",
        "_diffusers_version": "0.35.0",
        "boundary_ratio": None,
        "expand_timesteps": pipeline.config.expand_timesteps,
        "scheduler": ["diffusers", "UniPCMultistepScheduler"],
        "text_encoder": ["transformers", "UMT5EncoderModel"],
        "tokenizer": ["transformers", "T5TokenizerFast"],
        "transformer": ["diffusers", "WanTransformer3DModel"],
        "transformer_2": [None, None],
        "vae": ["diffusers", "AutoencoderKLWan"],
    }
    (folder / "model_index.json").write_text(json.dumps(index))


@dataclasses.dataclass(frozen=True)
class WanToy:
    """diffusers' pipeline, its folder and the bundle made of it."""

    pipeline: WanPipeline
    folder: Path
    bundle: Path


@pytest.fixture(scope="session")
def tokenizer_folder(tmp_path_factory: pytest.TempPathFactory, train_t5: Callable[[Path, bool], None]) -> Path:
    """A small tokenizer of T5's kind."""
    folder = tmp_path_factory.mktemp("tokenizer")
    train_t5(folder, False)
    return folder


@pytest.fixture(scope="session")
def wan_folder(
    tmp_path_factory: pytest.TempPathFactory, tokenizer_folder: Path
) -> Callable[[str], tuple[WanPipeline, Path]]:
    """A toy's pipeline and its folder, by name."""
    made: dict[str, tuple[WanPipeline, Path]] = {}

    def make(name: str) -> tuple[WanPipeline, Path]:
        if name not in made:
            pipeline = pipeline_of(TOYS[name], tokenizer_folder)
            folder = tmp_path_factory.mktemp("folders") / name
            save(pipeline, folder, tokenizer_folder)
            made[name] = pipeline, folder
        return made[name]

    return make


@pytest.fixture(scope="session", params=list(TOYS))
def wan_toy(
    request: pytest.FixtureRequest,
    exported_once: Callable[..., Path],
    wan_folder: Callable[[str], tuple[WanPipeline, Path]],
) -> WanToy:
    """Each toy, stored in fp32, with graphs in fp16 for TensorRT."""
    pipeline, folder = wan_folder(request.param)
    options = ExportOptions({EVERY_MODULE: ("fp16",)}, storage="fp32")
    bundle = exported_once(f"wan-{request.param}", load(ModelSource(folder)), options)
    return WanToy(pipeline, folder, bundle)


@pytest.fixture
def fresh_noise(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Gives diffusers' FlowMatchLCMScheduler the noise of the core's steps; called before each generation.

    It is that of seed 0, which a generation has that is given its latents.
    """
    step = 0

    def begin() -> None:
        nonlocal step
        step = 0

    def noise(shape: torch.Size, **_: Any) -> torch.Tensor:
        nonlocal step
        step += 1
        return torch.from_numpy(_core.standard_normal(0, shape.numel(), stream=step)).view(shape)

    monkeypatch.setattr(scheduling_flow_match_lcm, "randn_tensor", noise)
    return begin


@pytest.fixture(params=list(TOYS))
def wan_networks(request: pytest.FixtureRequest) -> tuple[WanTransformer3DModel, AutoencoderKLWan]:
    """Each toy's denoiser and VAE, not exported."""
    with torch.random.fork_rng():
        torch.manual_seed(6)
        return transformer_of(TOYS[request.param]), vae_of(TOYS[request.param])
