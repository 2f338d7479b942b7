"""The reference model, pocket: three networks of this project's own (export/pocket)."""

from __future__ import annotations

from vidrt.export.pocket import captions
from vidrt.export.pocket.checkpoint import Networks, bundle_networks, load_networks, random_networks
from vidrt.export.pocket.config import SPATIAL_RATIO, TEMPORAL_RATIO, PocketConfig
from vidrt.export.pocket.vae import CacheSpec, FirstStep, ImageEncoder, NextStep
from vidrt.export.registry import Family, ModelSource
from vidrt.export.samples import mask, normal, token_ids, uniform
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

_MAX_BATCH = 16
_MAX_SIDE = 128 // SPATIAL_RATIO
_MIN_SIDE = 32 // SPATIAL_RATIO
_MAX_LATENT_FRAMES = 65
_TOLERANCE = {"fp32": 1e-4, "fp16": 5e-2, "bf16": 4e-1}
"""Of the low precisions about twice what they reach; bf16 has three bits less than fp16, a factor of eight."""


def load(source: ModelSource) -> BundleSpec:
    """The declaration for a checkpoint that pocket training wrote, for a bundle's weights, or for random ones."""
    if source.checkpoint is None:
        return bundle_spec(random_networks(PocketConfig(), source.seed))
    if source.checkpoint.is_dir():
        return bundle_spec(bundle_networks(source.checkpoint, PocketConfig()))
    return bundle_spec(load_networks(source.checkpoint))


def bundle_spec(networks: Networks) -> BundleSpec:
    """The declaration for given networks."""
    config = networks.config
    length = config.text.max_length
    words = captions.vocabulary()
    # Measured is what models/pocket/EVALUATION.md has.
    side = Limit(_MIN_SIDE * SPATIAL_RATIO, _MAX_SIDE * SPATIAL_RATIO, 2 * SPATIAL_RATIO, (64, 96))
    modules = (
        _text_encoder(networks),
        _denoiser(networks),
        _first_step(networks),
        _next_step(networks),
        _image_encoder(networks),
    )
    return BundleSpec(
        name="pocket",
        family="pocket",
        license="Apache-2.0",
        parts=(Part(networks.named(), modules),),
        compute=("fp32", "fp16", "bf16"),
        tokenizer=TokenizerSpec(
            kind="wordlevel",
            files={"tokenizer/vocab.txt": "".join(word + "\n" for word in words).encode()},
            max_length=length,
            pad_id=captions.PAD,
            eos_id=captions.END,
            unk_id=captions.UNKNOWN,
        ),
        scheduler={"_class_name": "FlowMatchEulerDiscreteScheduler", "num_train_timesteps": 1000, "shift": 2.0},
        limits={
            "height": side,
            "width": side,
            "num_frames": Limit(1, 1 + TEMPORAL_RATIO * (_MAX_LATENT_FRAMES - 1), TEMPORAL_RATIO, (17, 65)),
        },
        vae=VaeSpec("causal", TEMPORAL_RATIO, SPATIAL_RATIO, config.vae.latent_channels),
        defaults=Defaults(
            height=64,
            width=64,
            num_frames=17,
            num_inference_steps=20,
            guidance_scale=3.0,
            negative_prompt="",
            fps=8,
        ),
        zero_after_mask=True,
        exclusive_words=captions.EXCLUSIVE_WORDS,
    )


def _text_encoder(networks: Networks) -> ModuleSpec:
    text = networks.config.text
    return ModuleSpec(
        name="text_encoder",
        build=lambda: networks.text_encoder,
        inputs=(
            TensorSpec("input_ids", "int64", ("B", "L"), token_ids(text.vocab_size)),
            TensorSpec("attention_mask", "int64", ("B", "L"), mask),
        ),
        outputs=(TensorSpec("text_embeds", "float32", ("B", "L", text.width)),),
        extents={"B": Extent(1, _MAX_BATCH), "L": Extent(1, text.max_length)},
        trace={"B": 2, "L": 7},
        cases=({"B": 1, "L": text.max_length}, {"B": 2, "L": text.max_length}, {"B": 3, "L": 5}),
        tolerance={**_TOLERANCE, INT8: 5e-2},
    )


def _denoiser(networks: Networks) -> ModuleSpec:
    text = networks.config.text
    latents = ("B", networks.config.denoiser.latent_channels, "T", "h", "w")
    length = text.max_length
    return ModuleSpec(
        name="denoiser",
        build=lambda: networks.denoiser,
        inputs=(
            TensorSpec("latents", "float32", latents, normal),
            TensorSpec("timestep", "float32", ("B", "T"), uniform(0.0, 1000.0)),
            TensorSpec("text_embeds", "float32", ("B", "L", text.width), normal),
            TensorSpec("text_mask", "int64", ("B", "L"), mask),
        ),
        outputs=(TensorSpec("prediction", "float32", latents),),
        # The U-Net's inner level has half the latents' size.
        extents={
            "B": Extent(1, _MAX_BATCH),
            "T": Extent(1, _MAX_LATENT_FRAMES),
            "h": Extent(_MIN_SIDE, _MAX_SIDE, 2),
            "w": Extent(_MIN_SIDE, _MAX_SIDE, 2),
            "L": Extent(1, length),
        },
        trace={"B": 2, "T": 3, "h": 6, "w": 8, "L": 7},
        cases=(
            {"B": 2, "T": 5, "h": 8, "w": 8, "L": length},
            {"B": 1, "T": 1, "h": 4, "w": 6, "L": length},
            {"B": 1, "T": 9, "h": 12, "w": 4, "L": 5},
            {"B": 3, "T": 2, "h": 6, "w": 16, "L": 1},
        ),
        tolerance=_TOLERANCE,
    )


def _latent_extents() -> dict[str, Extent]:
    side = Extent(_MIN_SIDE, _MAX_SIDE)
    return {"B": Extent(1, _MAX_BATCH), "h": side, "w": side}


def _caches(networks: Networks, prefix: str) -> tuple[TensorSpec, ...]:
    def shape(cache: CacheSpec) -> tuple[int | str, ...]:
        sides = ("h", "w") if cache.scale == 1 else (f"h*{cache.scale}", f"w*{cache.scale}")
        return ("B", cache.channels, cache.frames, *sides)

    specs = networks.vae_decoder.cache_specs()
    return tuple(TensorSpec(f"{prefix}_{cache.index}", "float32", shape(cache), normal) for cache in specs)


def _frames(count: int | str) -> TensorSpec:
    return TensorSpec("frames", "float32", ("B", 3, count, f"h*{SPATIAL_RATIO}", f"w*{SPATIAL_RATIO}"))


def _first_step(networks: Networks) -> ModuleSpec:
    channels = networks.config.vae.latent_channels
    return ModuleSpec(
        name="vae_decoder_first",
        build=lambda: FirstStep(networks.vae_decoder),
        inputs=(TensorSpec("latents", "float32", ("B", channels, 1, "h", "w"), normal),),
        outputs=(_frames(1), *_caches(networks, "cache_out")),
        extents=_latent_extents(),
        trace={"B": 2, "h": 5, "w": 6},
        cases=({"B": 1, "h": 8, "w": 8}, {"B": 2, "h": 4, "w": 7}, {"B": 1, "h": 16, "w": 5}),
        tolerance=_TOLERANCE,
    )


def _next_step(networks: Networks) -> ModuleSpec:
    channels = networks.config.vae.latent_channels
    return ModuleSpec(
        name="vae_decoder_next",
        build=lambda: NextStep(networks.vae_decoder),
        inputs=(
            TensorSpec("latents", "float32", ("B", channels, "k", "h", "w"), normal),
            *_caches(networks, "cache_in"),
        ),
        outputs=(_frames(f"k*{TEMPORAL_RATIO}"), *_caches(networks, "cache_out")),
        extents={**_latent_extents(), "k": Extent(1, _MAX_LATENT_FRAMES)},
        trace={"B": 2, "k": 3, "h": 5, "w": 6},
        cases=(
            {"B": 1, "k": 1, "h": 8, "w": 8},
            {"B": 1, "k": 4, "h": 8, "w": 8},
            {"B": 2, "k": 2, "h": 4, "w": 7},
        ),
        tolerance=_TOLERANCE,
    )


def _image_encoder(networks: Networks) -> ModuleSpec:
    sides = (f"h*{SPATIAL_RATIO}", f"w*{SPATIAL_RATIO}")
    return ModuleSpec(
        name="vae_encoder",
        build=lambda: ImageEncoder(networks.vae_encoder, networks.vae_decoder),
        inputs=(TensorSpec("image", "float32", ("B", 3, 1, *sides), uniform(-1.0, 1.0)),),
        outputs=(TensorSpec("latents", "float32", ("B", networks.config.vae.latent_channels, 1, "h", "w")),),
        extents=_latent_extents(),
        trace={"B": 2, "h": 5, "w": 6},
        cases=({"B": 1, "h": 8, "w": 8}, {"B": 2, "h": 4, "w": 7}, {"B": 1, "h": 16, "w": 5}),
        tolerance=_TOLERANCE,
    )


FAMILY = Family("pocket", "the reference model: small, trained on procedurally drawn clips", load)
