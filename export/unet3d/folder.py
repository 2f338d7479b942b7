"""A diffusers folder of a TextToVideoSDPipeline: what is in it, checked before any weight is read."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from diffusers import AutoencoderKL, UNet3DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

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

_PIPELINE = "TextToVideoSDPipeline"
_CLASSES = {"text_encoder": "CLIPTextModel", "unet": "UNet3DConditionModel", "vae": "AutoencoderKL"}
_CLIP_SIZES = (
    *("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads"),
    "max_position_embeddings",
)
_MOST_LEVELS = 8
_MOST_LAYERS = 16
_BLOCKS = {
    "down_block_types": ("CrossAttnDownBlock3D", "DownBlock3D"),
    "up_block_types": ("CrossAttnUpBlock3D", "UpBlock3D"),
}


@dataclasses.dataclass(frozen=True)
class Unet3dModel:
    """The networks of a folder, whose weights lie in mapped files, and what else it says.

    Args:
        masks_padding: Whether the text encoder is given the prompt's mask, as `use_attention_mask` of its
            configuration says.
        scheduler: diffusers' scheduler config.
    """

    name: str
    text_encoder: CLIPTextModel
    unet: UNet3DConditionModel
    vae: AutoencoderKL
    scheduler: Mapping[str, Any]
    masks_padding: bool

    @property
    def spatial_ratio(self) -> int:
        """Pixels of a latent's side."""
        return 2 ** (len(self.vae.config.block_out_channels) - 1)


def read_folder(folder: Path, weights_variant: str | None = None) -> Unet3dModel:
    """Open a folder as diffusers' save_pretrained() writes it.

    Args:
        folder: Holds model_index.json and a folder for each component.
        weights_variant: A word in the names of the weights' files, as fp16.

    Raises:
        InvalidArgument: It is a folder of another family, or it is incomplete or damaged.
    """
    _check_index(read_index(folder, "as damo-vilab/text-to-video-ms-1.7b."), folder / INDEX)
    for component in ("unet", "vae"):
        _check_levels(folder / component / "config.json")
    _check_blocks(folder / "unet" / "config.json")
    unet = diffusers_model(UNet3DConditionModel, folder / "unet")
    _check_unet(unet.config, folder / "unet" / "config.json")
    vae = diffusers_model(AutoencoderKL, folder / "vae")
    _check_vae(vae.config, unet.config, folder / "vae" / "config.json")
    text_encoder, masks_padding = _text_encoder(folder / "text_encoder" / "config.json")
    width = text_encoder.config.hidden_size
    if width != unet.config.cross_attention_dim:
        raise InvalidArgument(
            f"{folder}: the text encoder's embeddings have {width} columns, but the UNet takes "
            f"{unet.config.cross_attention_dim}. The components are of different models."
        )
    scheduler = read_scheduler(folder / "scheduler")
    map_weights(text_encoder, folder / "text_encoder", "model", weights_variant, _clip_name)
    map_weights(unet, folder / "unet", "diffusion_pytorch_model", weights_variant)
    map_weights(vae, folder / "vae", "diffusion_pytorch_model", weights_variant, _vae_name)
    return Unet3dModel(folder.resolve().name, text_encoder, unet, vae, scheduler, masks_padding)


def unet3d_files(folder: Path) -> tuple[Path, ...]:
    """model_index.json and the files of all components."""
    return component_files(folder, (*_CLASSES, "scheduler", "tokenizer"))


def _check_index(index: Mapping[str, Any], path: Path) -> None:
    name = index.get("_class_name")
    if name != _PIPELINE:
        hint = ""
        if class_of(index, "unet") == "UNet2DConditionModel":
            hint = " Its UNet makes images, not videos."
        elif class_of(index, "transformer") == "WanTransformer3DModel":
            hint = " Export it with: vidrt export wan."
        raise InvalidArgument(f"{path} is of a {name!r}, expected {_PIPELINE}: ModelScope's or ZeroScope's.{hint}")
    check_classes(index, path, _CLASSES)


def _check_levels(path: Path) -> None:
    """Refuse a network of more levels or layers than one has: it could take hours to build."""
    config = read_json(path)
    levels, layers = config.get("block_out_channels"), config.get("layers_per_block", 1)
    if not isinstance(levels, list) or not 1 <= len(levels) <= _MOST_LEVELS:
        raise InvalidArgument(
            f"{path}: block_out_channels is {str(levels)[:80]}, expected a list of the widths of 1 to {_MOST_LEVELS} "
            "levels."
        )
    if not isinstance(layers, int) or not 1 <= layers <= _MOST_LAYERS:
        raise InvalidArgument(f"{path}: layers_per_block is {str(layers)[:80]}, expected 1 to {_MOST_LAYERS}.")


def _check_blocks(path: Path) -> None:
    """Refuse a UNet of blocks whose forward calls are others than the denoiser's."""
    config = read_json(path)
    for key, known in _BLOCKS.items():
        kinds = config.get(key, [])
        if not isinstance(kinds, list) or any(kind not in known for kind in kinds):
            raise InvalidArgument(f"{path}: {key} is {str(kinds)[:80]}, expected a list of {' and '.join(known)}.")


def _check_unet(config: Any, path: Path) -> None:
    if config.in_channels != config.out_channels:
        raise InvalidArgument(
            f"{path}: the UNet takes {config.in_channels} channels and gives {config.out_channels}; expected the same "
            "number: one that is given an image or a mask as additional channels is not supported."
        )
    if config.time_cond_proj_dim is not None:
        raise InvalidArgument(
            f"{path}: time_cond_proj_dim is {config.time_cond_proj_dim!r}, expected null: the UNet is given the "
            "guidance scale as an embedding, which vidrt does not do."
        )
    size = config.sample_size
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise InvalidArgument(f"{path}: sample_size is {size!r}, expected the side of square latents, as 32.")


def _check_vae(config: Any, unet: Any, path: Path) -> None:
    if config.latent_channels != unet.in_channels:
        raise InvalidArgument(
            f"{path}: latent_channels is {config.latent_channels}, but the UNet's latents have {unet.in_channels} "
            "channels. The components are of different models."
        )
    for channels, blocks, kind in (
        ("out_channels", "up_block_types", "UpDecoderBlock2D"),
        ("in_channels", "down_block_types", "DownEncoderBlock2D"),
    ):
        if config[channels] != 3 or set(config[blocks]) != {kind}:
            raise InvalidArgument(
                f"{path}: {channels} is {config[channels]} and {blocks} is {list(config[blocks])}, expected 3 and "
                f"{kind} alone."
            )
    scale = config.scaling_factor
    if isinstance(scale, bool) or not isinstance(scale, int | float) or not math.isfinite(scale) or scale <= 0:
        raise InvalidArgument(f"{path}: scaling_factor is {scale!r}, expected a number greater than 0.")
    for key in ("shift_factor", "latents_mean", "latents_std"):
        if config[key] is not None:
            raise InvalidArgument(
                f"{path}: {key} is {str(config[key])[:80]}, expected null: {_PIPELINE} knows the scaling_factor alone."
            )


def _text_encoder(path: Path) -> tuple[CLIPTextModel, bool]:
    config = read_json(path)
    if config.get("model_type") != "clip_text_model":
        raise InvalidArgument(f"{path} is of a {config.get('model_type')!r}, expected 'clip_text_model'.")
    check_sizes(config, _CLIP_SIZES, path)
    masks_padding = config.get("use_attention_mask", False)
    if not isinstance(masks_padding, bool):
        raise InvalidArgument(f"{path}: use_attention_mask is {masks_padding!r}, expected true or false.")
    return built(lambda: CLIPTextModel(CLIPTextConfig.from_dict(config)), path), masks_padding


def _clip_name(name: str) -> str | None:
    """Transformers before 5 put `text_model.` before every name, and once stored the positions' numbers as well."""
    name = name.removeprefix("text_model.")
    return None if name == "embeddings.position_ids" else name


_OLD_ATTENTION = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}


def _vae_name(name: str) -> str:
    """Diffusers before 0.18 named the projections of the VAE's attention otherwise, as Stable Diffusion's files do."""
    block, dot, rest = name.rpartition("attentions.0.")
    layer, point, last = rest.partition(".")
    return f"{block}{dot}{_OLD_ATTENTION[layer]}{point}{last}" if dot and layer in _OLD_ATTENTION else name
