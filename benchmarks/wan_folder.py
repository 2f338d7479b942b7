"""Folders of Wan models at published sizes with random weights: what exports and benchmarks of real shapes need.

`python benchmarks/wan_folder.py SIZE FOLDER [--dtype bf16] [--full COMPONENT ...]` writes what diffusers'
save_pretrained() would, weight by weight, so that memory holds a shard at most. Components that are not named by --full
are a few layers of toy width, of the shapes that the others fit.
"""

from __future__ import annotations

import argparse
import dataclasses
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import sentencepiece
import torch
from diffusers import AutoencoderKLWan, UniPCMultistepScheduler, WanTransformer3DModel
from random_weights import DTYPES, write_weights
from transformers import UMT5Config, UMT5EncoderModel

COMPONENTS = ("text_encoder", "transformer", "vae")
_SENTENCES = ("a red fox runs through deep snow", "a blue bird over the sea", "狐狸在雪中奔跑", "0123456789 .,!?")


@dataclasses.dataclass(frozen=True)
class Size:
    """What is passed to the classes for full components, and for toy ones where others are full."""

    full: Mapping[str, Mapping[str, Any]]
    expand_timesteps: bool
    flow_shift: float


_UMT5_XXL = {"vocab_size": 256384, "d_model": 4096, "d_kv": 64, "d_ff": 10240, "num_layers": 24, "num_heads": 64}
_TEXT_DIM = 4096
SIZES = {
    # Wan-AI/Wan2.1-T2V-1.3B-Diffusers
    "wan2.1-t2v-1.3b": Size(
        {
            "text_encoder": _UMT5_XXL,
            "transformer": {
                "num_attention_heads": 12,
                "attention_head_dim": 128,
                "num_layers": 30,
                "ffn_dim": 8960,
                "in_channels": 16,
            },
            "vae": {"z_dim": 16},
        },
        expand_timesteps=False,
        flow_shift=3.0,
    ),
    # Wan-AI/Wan2.2-TI2V-5B-Diffusers, but for the latents' statistics
    "wan2.2-ti2v-5b": Size(
        {
            "text_encoder": _UMT5_XXL,
            "transformer": {
                "num_attention_heads": 24,
                "attention_head_dim": 128,
                "num_layers": 30,
                "ffn_dim": 14336,
                "in_channels": 48,
            },
            "vae": {
                "z_dim": 48,
                "base_dim": 160,
                "decoder_base_dim": 256,
                "is_residual": True,
                "in_channels": 12,
                "out_channels": 12,
                "patch_size": 2,
                "scale_factor_spatial": 16,
                "latents_mean": [0.0] * 48,
                "latents_std": [0.6] * 48,
            },
        },
        expand_timesteps=True,
        flow_shift=5.0,
    ),
}
_TOY: Mapping[str, Mapping[str, Any]] = {
    "text_encoder": {"vocab_size": 512, "d_kv": 8, "d_ff": 48, "num_layers": 1, "num_heads": 4},
    "transformer": {"num_attention_heads": 1, "attention_head_dim": 24, "num_layers": 1, "ffn_dim": 48, "freq_dim": 32},
    "vae": {"num_res_blocks": 1, "base_dim": 8, "decoder_base_dim": 8, "dim_mult": [1, 1, 1, 1]},
}


def settings_of(size: Size, component: str, full: Sequence[str], layers: int | None) -> dict[str, Any]:
    """What a component's class is given."""
    settings = dict(size.full[component])
    if component not in full:
        settings.update(_TOY[component])
    elif layers is not None and component != "vae":
        settings["num_layers"] = layers
    return settings


def write_folder(
    name: str, folder: Path, *, dtype: torch.dtype, full: Sequence[str] = COMPONENTS, layers: int | None = None
) -> None:
    """Write a folder.

    Args:
        name: A key of SIZES.
        folder: To be made.
        dtype: Of all weights.
        full: The components at published size.
        layers: Of full text encoders and transformers, instead of all.
    """
    size = SIZES[name]
    settings = {component: settings_of(size, component, full, layers) for component in COMPONENTS}
    channels = settings["transformer"].pop("in_channels")
    config = UMT5Config(feed_forward_proj="gated-gelu", **{"d_model": _TEXT_DIM, **settings["text_encoder"]})
    with torch.device("meta"):
        text_encoder = UMT5EncoderModel(config)
        transformer = WanTransformer3DModel(
            in_channels=channels, out_channels=channels, text_dim=_TEXT_DIM, **settings["transformer"]
        )
        vae = AutoencoderKLWan(**settings["vae"])
    folder.mkdir(parents=True)
    write_weights(text_encoder, folder / "text_encoder", "model", dtype)
    config.to_json_file(folder / "text_encoder" / "config.json")
    for model, component in ((transformer, "transformer"), (vae, "vae")):
        write_weights(model, folder / component, "diffusion_pytorch_model", dtype)
        model.save_config(folder / component)
    scheduler = UniPCMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=size.flow_shift
    )
    scheduler.save_pretrained(folder / "scheduler")
    _write_tokenizer(folder / "tokenizer")
    index = {
        "_class_name": "WanPipeline",
        "boundary_ratio": None,
        "expand_timesteps": size.expand_timesteps,
        "scheduler": ["diffusers", "UniPCMultistepScheduler"],
        "text_encoder": ["transformers", "UMT5EncoderModel"],
        "tokenizer": ["transformers", "T5TokenizerFast"],
        "transformer": ["diffusers", "WanTransformer3DModel"],
        "transformer_2": [None, None],
        "vae": ["diffusers", "AutoencoderKLWan"],
    }
    (folder / "model_index.json").write_text(json.dumps(index, indent=1) + "\n")


def _write_tokenizer(folder: Path) -> None:
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(_SENTENCES * 30),
        model_writer=model,
        vocab_size=120,
        model_type="unigram",
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    folder.mkdir()
    (folder / "spiece.model").write_bytes(model.getvalue())
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "T5Tokenizer", "extra_ids": 0}))


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("size", choices=SIZES)
    parser.add_argument("folder", type=Path, help="the folder to make")
    parser.add_argument("--dtype", choices=DTYPES, default="bf16", help="of all weights")
    parser.add_argument(
        "--full", choices=COMPONENTS, nargs="+", default=COMPONENTS, help="components at published size"
    )
    parser.add_argument("--layers", type=int, help="of full text encoders and transformers, instead of all")
    arguments = parser.parse_args()
    if arguments.folder.exists():
        parser.error(f"{arguments.folder} is there already; name a new folder")
    write_folder(
        arguments.size,
        arguments.folder,
        dtype=DTYPES[arguments.dtype],
        full=arguments.full,
        layers=arguments.layers,
    )


if __name__ == "__main__":
    main()
