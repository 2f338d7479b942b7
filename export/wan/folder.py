"""A diffusers folder of a Wan model: what is in it, checked before any weight is read."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from diffusers import AutoencoderKLWan, WanTransformer3DModel
from transformers import UMT5Config, UMT5EncoderModel

from vidrt.engine.errors import InvalidArgument
from vidrt.export.checkpoint_files import map_weights, read_json
from vidrt.export.diffusers_folder import (
    INDEX,
    built,
    check_classes,
    check_sizes,
    class_of,
    component_files,
    diffusers_model,
    read_index,
    read_scheduler,
)

_PIPELINES = ("WanPipeline", "WanImageToVideoPipeline", "WanDMDPipeline")
"""The last is FastVideo's: a WanPipeline whose transformer was distilled to a few steps."""
_CLASSES = {
    "text_encoder": "UMT5EncoderModel",
    "transformer": "WanTransformer3DModel",
    "vae": "AutoencoderKLWan",
}
_UMT5_SIZES = ("vocab_size", "d_model", "d_kv", "d_ff", "num_layers", "num_heads")


@dataclasses.dataclass(frozen=True)
class WanModel:
    """The networks of a folder, whose weights lie in mapped files, and what else it says.

    Args:
        expand_timesteps: Whether every latent frame has its own timestep, as Wan2.2-TI2V's have; such a model takes
            a guide image as well.
        scheduler: diffusers' scheduler config.
    """

    name: str
    text_encoder: UMT5EncoderModel
    transformer: WanTransformer3DModel
    vae: AutoencoderKLWan
    scheduler: Mapping[str, Any]
    expand_timesteps: bool


def read_folder(folder: Path, weights_variant: str | None = None) -> WanModel:
    """Open a folder as diffusers' save_pretrained() writes it.

    Args:
        folder: Holds model_index.json and a folder for each component.
        weights_variant: A word in the names of the weights' files, as fp16.

    Raises:
        InvalidArgument: It is a folder of another family or of a Wan model that is not supported, or it is
            incomplete or damaged.
    """
    index = read_index(
        folder,
        "as Wan-AI/Wan2.1-T2V-1.3B-Diffusers. A checkpoint in Wan's original format has to be converted first "
        "(scripts/convert_wan_to_diffusers.py of diffusers).",
    )
    expand = _check_index(index, folder / INDEX)
    transformer = diffusers_model(WanTransformer3DModel, folder / "transformer")
    _check_transformer(transformer.config, folder / "transformer")
    vae = diffusers_model(AutoencoderKLWan, folder / "vae")
    _check_vae(vae, transformer.config, folder / "vae")
    text_encoder = _text_encoder(folder / "text_encoder")
    width = text_encoder.config.d_model
    if width != transformer.config.text_dim:
        raise InvalidArgument(
            f"{folder}: the text encoder's embeddings have {width} columns, but the transformer takes "
            f"{transformer.config.text_dim}. The components are of different models."
        )
    scheduler = read_scheduler(folder / "scheduler")
    stems = (
        (text_encoder, "text_encoder", "model"),
        (transformer, "transformer", "diffusion_pytorch_model"),
        (vae, "vae", "diffusion_pytorch_model"),
    )
    for network, component, stem in stems:
        map_weights(network, folder / component, stem, weights_variant)
    name = folder.resolve().name
    return WanModel(name, text_encoder, transformer, vae, scheduler, expand)


def wan_files(folder: Path) -> tuple[Path, ...]:
    """model_index.json and the files of all components."""
    return component_files(folder, (*_CLASSES, "scheduler", "tokenizer"))


def _check_index(index: Mapping[str, Any], path: Path) -> bool:
    """What the pipeline is; returns expand_timesteps."""
    name = index.get("_class_name")
    if name not in _PIPELINES:
        raise InvalidArgument(
            f"{path} is of a {name!r}, expected {' or '.join(_PIPELINES)}: no Wan text-to-video model."
        )
    if class_of(index, "transformer_2") is not None or index.get("boundary_ratio") is not None:
        raise InvalidArgument(
            f"{path} has two denoisers (transformer_2), as Wan2.2's 14B models do; vidrt runs models with one: "
            "Wan2.1-T2V and Wan2.2-TI2V."
        )
    if class_of(index, "image_encoder") is not None:
        raise InvalidArgument(
            f"{path} has a CLIP image encoder, as Wan2.1's I2V models do; vidrt conditions on an image by the first "
            "latent frame alone: Wan2.2-TI2V."
        )
    check_classes(index, path, _CLASSES)
    expand = index.get("expand_timesteps", False)
    if not isinstance(expand, bool):
        raise InvalidArgument(f"{path}: expand_timesteps is {expand!r}, expected true or false.")
    if name == "WanImageToVideoPipeline" and not expand:
        raise InvalidArgument(
            f"{path} is an image-to-video model that takes the image as additional channels; vidrt conditions on an "
            "image by the first latent frame (expand_timesteps): Wan2.2-TI2V."
        )
    return expand


def _text_encoder(folder: Path) -> UMT5EncoderModel:
    path = folder / "config.json"
    config = read_json(path)
    if config.get("model_type") != "umt5":
        raise InvalidArgument(f"{path} is of a {config.get('model_type')!r}, expected 'umt5'.")
    check_sizes(config, _UMT5_SIZES, path)
    return built(lambda: UMT5EncoderModel(UMT5Config.from_dict(config)), path)


def _check_transformer(config: Any, folder: Path) -> None:
    path = folder / "config.json"
    if config.in_channels != config.out_channels:
        raise InvalidArgument(
            f"{path}: the transformer takes {config.in_channels} channels and gives {config.out_channels}. It takes an "
            "image as additional channels (Wan's I2V models have 36); vidrt conditions on an image by the first latent "
            "frame: Wan2.2-TI2V."
        )
    if config.image_dim is not None or config.added_kv_proj_dim is not None:
        raise InvalidArgument(
            f"{path}: the transformer attends to an image's CLIP embeddings (image_dim, added_kv_proj_dim), which "
            "vidrt does not."
        )
    if len(config.patch_size) != 3 or config.patch_size[0] != 1 or min(config.patch_size) < 1:
        raise InvalidArgument(
            f"{path}: patch_size is {list(config.patch_size)}, expected three numbers, the first 1: a timestep belongs "
            "to one latent frame."
        )
    if config.attention_head_dim < 6 or config.attention_head_dim % 2:
        raise InvalidArgument(
            f"{path}: attention_head_dim is {config.attention_head_dim}, expected an even number from 6."
        )


def _check_vae(vae: AutoencoderKLWan, transformer: Any, folder: Path) -> None:
    path, config = folder / "config.json", vae.config
    if config.z_dim != transformer.in_channels:
        raise InvalidArgument(
            f"{path}: z_dim is {config.z_dim}, but the transformer's latents have {transformer.in_channels} channels. "
            "The components are of different models."
        )
    ratio = 2 ** (len(config.dim_mult) - 1) * (config.patch_size or 1)
    if config.scale_factor_spatial != ratio:
        raise InvalidArgument(
            f"{path}: scale_factor_spatial is {config.scale_factor_spatial}, but the layers scale by {ratio}."
        )
    if config.scale_factor_temporal != 2 ** sum(config.temperal_downsample):
        raise InvalidArgument(
            f"{path}: scale_factor_temporal is {config.scale_factor_temporal}, but the layers scale by "
            f"{2 ** sum(config.temperal_downsample)}."
        )
    for key in ("latents_mean", "latents_std"):
        if len(config[key]) != config.z_dim:
            raise InvalidArgument(f"{path}: {key} has {len(config[key])} numbers, expected z_dim = {config.z_dim}.")
    if 0 in config.latents_std or config.attn_scales:
        raise InvalidArgument(f"{path}: expected latents_std without zeros and no attn_scales.")
