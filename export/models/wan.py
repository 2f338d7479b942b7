"""Wan2.1-T2V and Wan2.2-TI2V from diffusers' folders (export/wan)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from vidrt.engine.errors import InvalidArgument
from vidrt.export.registry import Family, ModelSource
from vidrt.export.samples import counts, mask, normal, token_ids, uniform
from vidrt.export.spec import (
    INT8,
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
from vidrt.export.wan.clip_layout import ChannelsFirst, FramesFirst
from vidrt.export.wan.denoiser import WanDenoiser
from vidrt.export.wan.folder import WanModel, read_folder, wan_files
from vidrt.export.wan.operators import PlainOperators, ProcessorOperators
from vidrt.export.wan.text_encoder import WanTextEncoder
from vidrt.export.wan.tokenizer_folder import tokenizer_spec
from vidrt.export.wan.vae_decoder import CacheSpec, FirstStep, NextStep, WanVaeDecoder, cache_specs
from vidrt.export.wan.vae_encoder import WanVaeEncoder

_MAX_BATCH = 8
_MAX_SIDE = 2048  # pixels
_MAX_LATENT_FRAMES = 257
_TEXT_LENGTH = 512
"""max_sequence_length of diffusers' Wan pipelines."""
_TOLERANCE = {"fp32": 1e-3, "fp16": 5e-2, "bf16": 4e-1}
_STEPS = 50
_GUIDANCE_SCALE = 5.0


def load(source: ModelSource) -> BundleSpec:
    """The declaration for a diffusers folder, whose weights are mapped and not read."""
    if source.checkpoint is None:
        raise InvalidArgument(
            "wan has no weights of its own: give the folder of a diffusers pipeline, as Wan2.1-T2V-1.3B-Diffusers."
        )
    model = read_folder(source.checkpoint, source.weights_variant)
    spec = bundle_spec(model, tokenizer_spec(source.checkpoint / "tokenizer", _TEXT_LENGTH))
    return dataclasses.replace(spec, sources=wan_files(source.checkpoint))


def bundle_spec(model: WanModel, tokenizer: TokenizerSpec) -> BundleSpec:
    """The declaration for given networks.

    Every component is a part: its weights lie in a file of their own, as large as its shards together.
    """
    vae, patch = model.vae.config, model.transformer.config.patch_size
    spatial, temporal = vae.scale_factor_spatial, vae.scale_factor_temporal
    limits = {
        "height": _side_limit(model, spatial * patch[1]),
        "width": _side_limit(model, spatial * patch[2]),
        "num_frames": Limit(1, 1 + temporal * (_max_latent_frames(model) - 1), temporal, None),
    }
    decoder, encoder = WanVaeDecoder(model.vae), WanVaeEncoder(model.vae)
    parts = [
        Part({"text_encoder": model.text_encoder}, (_text_encoder(model),)),
        Part({"denoiser": model.transformer}, (_denoiser(model),)),
        Part({"vae_decoder": decoder}, (_first_step(model, decoder), _next_step(model, decoder))),
    ]
    if model.expand_timesteps:
        parts.append(Part({"vae_encoder": encoder}, (_image_encoder(model, encoder),)))
    return BundleSpec(
        name=model.name,
        family="wan",
        license="that of the checkpoint",
        parts=tuple(parts),
        compute=("fp32", "fp16", "bf16"),
        tokenizer=tokenizer,
        scheduler=model.scheduler,
        limits=limits,
        vae=VaeSpec("causal", temporal, spatial, vae.z_dim),
        defaults=_defaults(model, limits),
        zero_after_mask=True,
        text_cleaning="html",
        text_ftfy=True,
        image_conditioning="first_latent_frame" if model.expand_timesteps else "none",
    )


def _max_positions(model: WanModel) -> int:
    """Rows of the transformer's rotary tables: tokens along any axis, one a latent frame in time."""
    positions: int = model.transformer.config.rope_max_seq_len
    return positions


def _max_latent_frames(model: WanModel) -> int:
    return min(_MAX_LATENT_FRAMES, _max_positions(model))


def _side_limit(model: WanModel, step: int) -> Limit:
    return Limit(step, min(_MAX_SIDE // step, _max_positions(model)) * step, step, None)


def _defaults(model: WanModel, limits: Mapping[str, Limit]) -> Defaults:
    """Those of the model cards: 480p and 5 seconds at 16 frames a second of Wan2.1, 720p at 24 of Wan2.2-TI2V."""
    height, width, num_frames, fps = (704, 1280, 121, 24.0) if model.expand_timesteps else (480, 832, 81, 16.0)
    sizes = {"height": height, "width": width, "num_frames": num_frames}
    fitting = {name: min(value, limits[name].max) for name, value in sizes.items()}
    return Defaults(
        **fitting,
        num_inference_steps=_STEPS,
        guidance_scale=_GUIDANCE_SCALE,
        negative_prompt="",
        fps=fps,
    )


def _text_encoder(model: WanModel) -> ModuleSpec:
    config = model.text_encoder.config
    return ModuleSpec(
        name="text_encoder",
        build=lambda: WanTextEncoder(model.text_encoder),
        inputs=(
            TensorSpec("input_ids", "int64", ("B", "L"), token_ids(config.vocab_size)),
            TensorSpec("attention_mask", "int64", ("B", "L"), mask),
        ),
        outputs=(TensorSpec("text_embeds", "float32", ("B", "L", config.d_model)),),
        extents={"B": Extent(1, _MAX_BATCH), "L": Extent(1, _TEXT_LENGTH)},
        trace={"B": 2, "L": 7},
        # Relative positions are told apart up to 128.
        cases=({"B": 1, "L": 150}, {"B": 2, "L": 9}, {"B": 1, "L": 1}),
        tolerance={**_TOLERANCE, INT8: 0.2},
    )


def _denoiser(model: WanModel) -> ModuleSpec:
    config = model.transformer.config
    latents = ("B", config.in_channels, "T", "h", "w")
    _, rows, columns = config.patch_size

    def side(patch: int) -> Extent:
        longest = min(_MAX_SIDE // model.vae.config.scale_factor_spatial // patch, _max_positions(model))
        return Extent(patch, longest * patch, patch)

    def sizes(batch: int, time: int, height: int, width: int, length: int) -> dict[str, int]:
        return {"B": batch, "T": time, "h": height * rows, "w": width * columns, "L": length}

    return ModuleSpec(
        name="denoiser",
        build=lambda: WanDenoiser(model.transformer, PlainOperators()),
        build_for_processor=lambda: WanDenoiser(model.transformer, ProcessorOperators(), counts_text=True),
        inputs=(
            TensorSpec("latents", "float32", latents, normal),
            TensorSpec("timestep", "float32", ("B", "T"), uniform(0.0, 1000.0)),
            TensorSpec("text_embeds", "float32", ("B", "L", config.text_dim), normal),
        ),
        processor_inputs=(TensorSpec("text_counts", "float32", ("B", "L"), counts),),
        outputs=(TensorSpec("prediction", "float32", latents),),
        extents={
            "B": Extent(1, _MAX_BATCH),
            "T": Extent(1, _max_latent_frames(model)),
            "h": side(rows),
            "w": side(columns),
            "L": Extent(1, _TEXT_LENGTH),
        },
        trace=sizes(2, 3, 4, 5, 7),
        cases=(sizes(2, 3, 2, 3, 9), sizes(1, 1, 1, 2, 5), sizes(1, 4, 3, 1, 1)),
        tolerance=_TOLERANCE,
    )


def _latents(model: WanModel, time: int | str) -> TensorSpec:
    return TensorSpec("latents", "float32", ("B", model.vae.config.z_dim, time, "h", "w"), normal)


def _pixels(model: WanModel, name: str, count: int | str) -> TensorSpec:
    ratio = model.vae.config.scale_factor_spatial
    return TensorSpec(name, "float32", ("B", 3, count, f"h*{ratio}", f"w*{ratio}"), uniform(-1.0, 1.0))


def _caches(model: WanModel, prefix: str) -> tuple[TensorSpec, ...]:
    def shape(cache: CacheSpec) -> tuple[int | str, ...]:
        sides = ("h", "w") if cache.scale == 1 else (f"h*{cache.scale}", f"w*{cache.scale}")
        return ("B", cache.channels, cache.frames, *sides)

    specs = cache_specs(model.vae)
    return tuple(TensorSpec(f"{prefix}_{cache.index}", "float32", shape(cache), normal) for cache in specs)


def _latent_extents(model: WanModel) -> dict[str, Extent]:
    side = Extent(1, _MAX_SIDE // model.vae.config.scale_factor_spatial)
    return {"B": Extent(1, _MAX_BATCH), "h": side, "w": side}


def _first_step(model: WanModel, decoder: WanVaeDecoder) -> ModuleSpec:
    return ModuleSpec(
        name="vae_decoder_first",
        build=lambda: FirstStep(decoder, ChannelsFirst()),
        build_for_processor=lambda: FirstStep(decoder, FramesFirst()),
        inputs=(_latents(model, 1),),
        outputs=(_pixels(model, "frames", 1), *_caches(model, "cache_out")),
        extents=_latent_extents(model),
        trace={"B": 2, "h": 4, "w": 5},
        cases=({"B": 1, "h": 4, "w": 3}, {"B": 2, "h": 1, "w": 1}),
        tolerance=_TOLERANCE,
    )


def _next_step(model: WanModel, decoder: WanVaeDecoder) -> ModuleSpec:
    return ModuleSpec(
        name="vae_decoder_next",
        build=lambda: NextStep(decoder, ChannelsFirst()),
        build_for_processor=lambda: NextStep(decoder, FramesFirst()),
        inputs=(_latents(model, "k"), *_caches(model, "cache_in")),
        outputs=(_pixels(model, "frames", f"k*{decoder.temporal_ratio}"), *_caches(model, "cache_out")),
        extents={**_latent_extents(model), "k": Extent(1, _max_latent_frames(model))},
        trace={"B": 2, "k": 3, "h": 4, "w": 5},
        cases=({"B": 1, "k": 1, "h": 4, "w": 3}, {"B": 1, "k": 3, "h": 2, "w": 2}, {"B": 2, "k": 2, "h": 1, "w": 1}),
        tolerance=_TOLERANCE,
    )


def _image_encoder(model: WanModel, encoder: WanVaeEncoder) -> ModuleSpec:
    return ModuleSpec(
        name="vae_encoder",
        build=lambda: encoder,
        inputs=(_pixels(model, "image", 1),),
        outputs=(_latents(model, 1),),
        extents=_latent_extents(model),
        trace={"B": 2, "h": 4, "w": 5},
        cases=({"B": 1, "h": 4, "w": 3}, {"B": 2, "h": 1, "w": 2}),
        tolerance=_TOLERANCE,
    )


FAMILY = Family("wan", "Wan2.1-T2V and Wan2.2-TI2V, from the folder of a diffusers pipeline", load)
