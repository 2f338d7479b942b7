"""ModelScope's and ZeroScope's text-to-video models from diffusers' folders (export/unet3d)."""

from __future__ import annotations

import dataclasses

from vidrt.engine.errors import InvalidArgument
from vidrt.export.clip_tokenizer import clip_tokenizer_spec
from vidrt.export.registry import Family, ModelSource
from vidrt.export.samples import mask, normal, token_ids, uniform
from vidrt.export.spec import (
    BundleSpec,
    Defaults,
    Extent,
    Limit,
    ModuleSpec,
    Part,
    TensorSpec,
    TokenizerSpec,
    VaeSpec,
)
from vidrt.export.unet3d.denoiser import Unet3dDenoiser
from vidrt.export.unet3d.folder import Unet3dModel, read_folder, unet3d_files
from vidrt.export.unet3d.text_encoder import ClipTextEncoder
from vidrt.export.unet3d.vae_decoder import FramewiseDecoder
from vidrt.export.unet3d.vae_encoder import FramewiseEncoder

_MAX_BATCH = 8
_MAX_SIDE = 2048  # pixels
_MAX_FRAMES = 128
_TOLERANCE = {"fp32": 1e-3, "fp16": 5e-2, "bf16": 4e-1}
_NUM_FRAMES, _STEPS, _GUIDANCE_SCALE = 16, 50, 9.0
"""Defaults of diffusers' pipeline."""
_FPS = 8.0
"""Of the clips that the models were trained with."""


def load(source: ModelSource) -> BundleSpec:
    """The declaration for a diffusers folder, whose weights are mapped and not read."""
    if source.checkpoint is None:
        raise InvalidArgument(
            "unet3d has no weights of its own: give the folder of a diffusers pipeline, as text-to-video-ms-1.7b."
        )
    model = read_folder(source.checkpoint, source.weights_variant)
    tokenizer = clip_tokenizer_spec(source.checkpoint / "tokenizer")
    positions = model.text_encoder.config.max_position_embeddings
    if tokenizer.max_length > positions:
        raise InvalidArgument(
            f"{source.checkpoint}: the tokenizer's model_max_length is {tokenizer.max_length}, but the text encoder "
            f"has {positions} positions. The components are of different models."
        )
    return dataclasses.replace(bundle_spec(model, tokenizer), sources=unet3d_files(source.checkpoint))


def bundle_spec(model: Unet3dModel, tokenizer: TokenizerSpec) -> BundleSpec:
    """The declaration for given networks.

    Every component is a part: its weights lie in a file of their own.
    """
    ratio, decoder, encoder = model.spatial_ratio, FramewiseDecoder(model.vae), FramewiseEncoder(model.vae)
    side = Limit(ratio, _MAX_SIDE, ratio, None)
    default = model.unet.config.sample_size * ratio
    return BundleSpec(
        name=model.name,
        family="unet3d",
        license="that of the checkpoint",
        parts=(
            Part({"text_encoder": model.text_encoder}, (_text_encoder(model),)),
            Part({"denoiser": model.unet}, (_denoiser(model),)),
            Part({"vae_decoder": decoder}, (_vae_decoder(model, decoder),)),
            Part({"vae_encoder": encoder}, (_vae_encoder(model, encoder),)),
        ),
        compute=("fp32", "fp16", "bf16"),
        tokenizer=tokenizer,
        scheduler=model.scheduler,
        limits={"height": side, "width": side, "num_frames": Limit(1, _MAX_FRAMES, 1, None)},
        vae=VaeSpec("framewise", 1, ratio, model.vae.config.latent_channels),
        defaults=Defaults(default, default, _NUM_FRAMES, _STEPS, _GUIDANCE_SCALE, "", _FPS),
    )


def _text_encoder(model: Unet3dModel) -> ModuleSpec:
    config = model.text_encoder.config
    longest = config.max_position_embeddings
    return ModuleSpec(
        name="text_encoder",
        build=lambda: ClipTextEncoder(model.text_encoder, masks_padding=model.masks_padding),
        inputs=(
            TensorSpec("input_ids", "int64", ("B", "L"), token_ids(config.vocab_size)),
            TensorSpec("attention_mask", "int64", ("B", "L"), mask),
        ),
        outputs=(TensorSpec("text_embeds", "float32", ("B", "L", config.hidden_size)),),
        extents={"B": Extent(1, _MAX_BATCH), "L": Extent(1, longest)},
        trace={"B": 2, "L": 7},
        cases=({"B": 2, "L": longest}, {"B": 1, "L": 9}, {"B": 1, "L": 1}),
        tolerance=_TOLERANCE,
    )


def _denoiser(model: Unet3dModel) -> ModuleSpec:
    config = model.unet.config
    latents = ("B", config.in_channels, "T", "h", "w")
    side = Extent(1, _MAX_SIDE // model.spatial_ratio)
    deepest = 2 ** (len(config.block_out_channels) - 1)

    def sizes(batch: int, time: int, height: int, width: int, length: int) -> dict[str, int]:
        return {"B": batch, "T": time, "h": height, "w": width, "L": length}

    return ModuleSpec(
        name="denoiser",
        build=lambda: Unet3dDenoiser(model.unet),
        inputs=(
            TensorSpec("latents", "float32", latents, normal),
            TensorSpec("timestep", "float32", ("B", "T"), uniform(0.0, 1000.0)),
            TensorSpec("text_embeds", "float32", ("B", "L", config.cross_attention_dim), normal),
        ),
        outputs=(TensorSpec("prediction", "float32", latents),),
        extents={
            "B": Extent(1, _MAX_BATCH),
            "T": Extent(1, _MAX_FRAMES),
            "h": side,
            "w": side,
            "L": Extent(1, model.text_encoder.config.max_position_embeddings),
        },
        # No side is 1 on the lowest level, where PyTorch would take it for a constant.
        trace=sizes(2, 3, deepest + 1, 2 * deepest + 1, 7),
        cases=(sizes(2, 2, deepest, deepest + 1, 9), sizes(1, 1, 1, 2, 5), sizes(1, 5, deepest + 2, 3, 1)),
        tolerance=_TOLERANCE,
    )


def _vae_decoder(model: Unet3dModel, decoder: FramewiseDecoder) -> ModuleSpec:
    ratio = model.spatial_ratio
    side = Extent(1, _MAX_SIDE // ratio)
    latents = ("B", model.vae.config.latent_channels, "T", "h", "w")
    return ModuleSpec(
        name="vae_decoder",
        build=lambda: decoder,
        inputs=(TensorSpec("latents", "float32", latents, normal),),
        outputs=(TensorSpec("frames", "float32", ("B", 3, "T", f"h*{ratio}", f"w*{ratio}")),),
        extents={"B": Extent(1, _MAX_BATCH), "T": Extent(1, _MAX_FRAMES), "h": side, "w": side},
        trace={"B": 2, "T": 3, "h": 4, "w": 5},
        cases=({"B": 1, "T": 2, "h": 3, "w": 2}, {"B": 2, "T": 1, "h": 1, "w": 1}),
        tolerance=_TOLERANCE,
    )


def _vae_encoder(model: Unet3dModel, encoder: FramewiseEncoder) -> ModuleSpec:
    ratio = model.spatial_ratio
    side = Extent(1, _MAX_SIDE // ratio)
    return ModuleSpec(
        name="vae_encoder",
        build=lambda: encoder,
        inputs=(TensorSpec("image", "float32", ("B", 3, 1, f"h*{ratio}", f"w*{ratio}"), uniform(-1.0, 1.0)),),
        outputs=(TensorSpec("latents", "float32", ("B", model.vae.config.latent_channels, 1, "h", "w")),),
        extents={"B": Extent(1, _MAX_BATCH), "h": side, "w": side},
        trace={"B": 2, "h": 4, "w": 5},
        cases=({"B": 1, "h": 3, "w": 2}, {"B": 2, "h": 1, "w": 1}),
        tolerance=_TOLERANCE,
    )


FAMILY = Family("unet3d", "ModelScope's and ZeroScope's text to video, from the folder of a diffusers pipeline", load)
