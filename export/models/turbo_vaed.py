"""Turbo-VAED: the decoder of a video VAE alone (export/turbo_vaed)."""

from __future__ import annotations

from vidrt.engine.errors import InvalidArgument
from vidrt.export.registry import Family, ModelSource
from vidrt.export.samples import normal
from vidrt.export.spec import BundleSpec, Defaults, Extent, Limit, ModuleSpec, Part, TensorSpec, VaeSpec
from vidrt.export.turbo_vaed.checkpoint import CheckpointError, Decoder, load_decoder, random_decoder
from vidrt.export.turbo_vaed.config import PRESETS
from vidrt.export.turbo_vaed.decoder import TurboVaedDecoder
from vidrt.export.turbo_vaed.receptive_field import receptive_field
from vidrt.export.turbo_vaed.steps import FirstStep, NextStep, cache_specs

_MAX_BATCH = 16
_MAX_PIXELS = 2048  # of a side
_MAX_LATENT_FRAMES = 129
_TOLERANCE = {"fp32": 1e-4, "fp16": 5e-2, "bf16": 4e-1}
"""Of the low precisions about twice what they reach; bf16 has three bits less than fp16, a factor of eight."""


def load(source: ModelSource) -> BundleSpec:
    """The declaration for a published checkpoint, or for random weights at a published configuration."""
    if source.checkpoint is None:
        return bundle_spec(random_decoder(source.preset or next(iter(PRESETS)), source.seed), "Apache-2.0")
    try:
        decoder = load_decoder(source.checkpoint, source.preset)
    except CheckpointError as error:
        raise InvalidArgument(str(error)) from error
    return bundle_spec(decoder, "that of the checkpoint, which does not say")


def bundle_spec(decoder: Decoder, licence: str) -> BundleSpec:
    """The declaration for given weights."""
    config = decoder.network.config
    spatial, temporal = config.spatial_ratio, config.temporal_ratio
    side = Limit(spatial, _MAX_PIXELS // spatial * spatial, spatial, None)
    shortest, longest = _frame_count(decoder.network, 1), _frame_count(decoder.network, _MAX_LATENT_FRAMES)
    modules = (
        (_first_step(decoder.network), _next_step(decoder.network))
        if config.causal
        else (_whole_decoder(decoder.network),)
    )
    return BundleSpec(
        name=f"turbo-vaed-{decoder.preset}",
        family="turbo_vaed",
        license=licence,
        parts=(Part({"vae_decoder": decoder.network}, modules),),
        compute=("fp32", "fp16", "bf16"),
        tokenizer=None,
        scheduler=None,
        limits={"height": side, "width": side, "num_frames": Limit(shortest, longest, temporal, None)},
        vae=VaeSpec(
            form="causal" if config.causal else "whole",
            temporal_ratio=temporal,
            spatial_ratio=spatial,
            latent_channels=config.latent_channels,
            single_first_frame=None if config.causal else config.single_first_frame,
            receptive_field=None if config.causal else receptive_field(config),
        ),
        defaults=Defaults(
            height=16 * spatial,
            width=16 * spatial,
            num_frames=_frame_count(decoder.network, 3),
            num_inference_steps=None,
            guidance_scale=None,
            negative_prompt=None,
            fps=24.0,
        ),
    )


def _frame_count(network: TurboVaedDecoder, latent_frames: int) -> int:
    config = network.config
    before_first = config.temporal_ratio - 1 if config.single_first_frame else 0
    return config.temporal_ratio * latent_frames - before_first


def _latent_extents(network: TurboVaedDecoder) -> dict[str, Extent]:
    side = Extent(1, _MAX_PIXELS // network.config.spatial_ratio)
    return {"B": Extent(1, _MAX_BATCH), "h": side, "w": side}


def _latents(network: TurboVaedDecoder, time: int | str) -> TensorSpec:
    return TensorSpec("latents", "float32", ("B", network.config.latent_channels, time, "h", "w"), normal)


def _frames(network: TurboVaedDecoder, count: int | str) -> TensorSpec:
    ratio = network.config.spatial_ratio
    return TensorSpec("frames", "float32", ("B", 3, count, f"h*{ratio}", f"w*{ratio}"))


def _whole_decoder(network: TurboVaedDecoder) -> ModuleSpec:
    def sizes(batch: int, time: int, height: int, width: int) -> dict[str, int]:
        return {"B": batch, "T": time, "h": height, "w": width, "F": _frame_count(network, time)}

    return ModuleSpec(
        name="vae_decoder",
        build=lambda: network,
        inputs=(_latents(network, "T"),),
        outputs=(_frames(network, "F"),),
        extents={**_latent_extents(network), "T": Extent(1, _MAX_LATENT_FRAMES)},
        trace=sizes(2, 3, 4, 5),
        cases=(sizes(1, 3, 2, 3), sizes(1, 1, 3, 2), sizes(2, 2, 1, 1), sizes(1, 6, 2, 2)),
        tolerance=_TOLERANCE,
    )


def _caches(network: TurboVaedDecoder, prefix: str) -> tuple[TensorSpec, ...]:
    def side(symbol: str, scale: int) -> str:
        return symbol if scale == 1 else f"{symbol}*{scale}"

    return tuple(
        TensorSpec(
            f"{prefix}_{cache.index}",
            "float32",
            ("B", cache.channels, cache.frames, side("h", cache.scale), side("w", cache.scale)),
            normal,
        )
        for cache in cache_specs(network.config)
    )


def _first_step(network: TurboVaedDecoder) -> ModuleSpec:
    return ModuleSpec(
        name="vae_decoder_first",
        build=lambda: FirstStep(network),
        inputs=(_latents(network, 1),),
        outputs=(_frames(network, 1), *_caches(network, "cache_out")),
        extents=_latent_extents(network),
        trace={"B": 2, "h": 4, "w": 5},
        cases=({"B": 1, "h": 2, "w": 3}, {"B": 2, "h": 1, "w": 1}, {"B": 1, "h": 4, "w": 2}),
        tolerance=_TOLERANCE,
    )


def _next_step(network: TurboVaedDecoder) -> ModuleSpec:
    return ModuleSpec(
        name="vae_decoder_next",
        build=lambda: NextStep(network),
        inputs=(_latents(network, "k"), *_caches(network, "cache_in")),
        outputs=(_frames(network, f"k*{network.config.temporal_ratio}"), *_caches(network, "cache_out")),
        extents={**_latent_extents(network), "k": Extent(1, _MAX_LATENT_FRAMES)},
        trace={"B": 2, "k": 3, "h": 4, "w": 5},
        cases=({"B": 1, "k": 1, "h": 2, "w": 3}, {"B": 1, "k": 4, "h": 2, "w": 2}, {"B": 2, "k": 2, "h": 1, "w": 1}),
        tolerance=_TOLERANCE,
    )


FAMILY = Family("turbo_vaed", "Turbo-VAED, a small decoder for the latents of larger models", load, PRESETS)
