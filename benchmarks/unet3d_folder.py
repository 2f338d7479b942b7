"""A folder of ModelScope's text-to-video model at published size with random weights.

`python benchmarks/unet3d_folder.py FOLDER [--dtype fp16] [--full COMPONENT ...] [--layers N]` writes what diffusers'
save_pretrained() would, weight by weight. Components that are not named by --full are of toy width, of the shapes that
the others fit.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet3DConditionModel
from random_weights import DTYPES, write_weights
from transformers import CLIPTextConfig, CLIPTextModel

COMPONENTS = ("text_encoder", "unet", "vae")
_VAE_BLOCKS = {
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "sample_size": 512,
}
# damo-vilab/text-to-video-ms-1.7b
FULL: Mapping[str, Mapping[str, Any]] = {
    "text_encoder": {
        "vocab_size": 49408,
        "hidden_size": 1024,
        "intermediate_size": 4096,
        "num_hidden_layers": 23,
        "num_attention_heads": 16,
        "hidden_act": "gelu",
    },
    "unet": {
        "sample_size": 32,
        "block_out_channels": (320, 640, 1280, 1280),
        "cross_attention_dim": 1024,
        "attention_head_dim": 64,
    },
    "vae": {"block_out_channels": (128, 256, 512, 512), "layers_per_block": 2, **_VAE_BLOCKS},
}
_TOY: Mapping[str, Mapping[str, Any]] = {
    "text_encoder": {"intermediate_size": 48, "num_hidden_layers": 1},
    "unet": {
        "block_out_channels": (8, 16, 16, 16),
        "layers_per_block": 1,
        "attention_head_dim": 4,
        "norm_num_groups": 4,
    },
    "vae": {"block_out_channels": (8, 8, 8, 8), "layers_per_block": 1, "norm_num_groups": 4},
}


def write_folder(
    folder: Path, *, dtype: torch.dtype, full: Sequence[str] = COMPONENTS, layers: int | None = None
) -> None:
    """Write a folder.

    Args:
        folder: To be made.
        dtype: Of all weights.
        full: The components at published size.
        layers: Of each block of a full UNet on the way down, instead of two.
    """
    settings = {name: {**FULL[name], **({} if name in full else _TOY[name])} for name in COMPONENTS}
    if layers is not None and "unet" in full:
        settings["unet"]["layers_per_block"] = layers
    config = CLIPTextConfig(**settings["text_encoder"])
    with torch.device("meta"):
        text_encoder = CLIPTextModel(config)
        unet = UNet3DConditionModel(**settings["unet"])
        vae = AutoencoderKL(**settings["vae"])
    folder.mkdir(parents=True)
    write_weights(text_encoder, folder / "text_encoder", "model", dtype)
    config.to_json_file(folder / "text_encoder" / "config.json", use_diff=False)
    for model, component in ((unet, "unet"), (vae, "vae")):
        write_weights(model, folder / component, "diffusion_pytorch_model", dtype)
        model.save_config(folder / component)
    DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    ).save_pretrained(folder / "scheduler")
    _write_tokenizer(folder / "tokenizer")
    index = {
        "_class_name": "TextToVideoSDPipeline",
        "scheduler": ["diffusers", "DDIMScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet3DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }
    (folder / "model_index.json").write_text(json.dumps(index, indent=1) + "\n")


def _write_tokenizer(folder: Path) -> None:
    """One that spells every prompt letter by letter: the bytes' signs, alone and at the end of words, and no merges."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = range(256, 256 + 256 - len(plain))  # what stands for the bytes that have no sign of their own
    letters = [chr(code) for code in (*plain, *others)]
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    folder.mkdir()
    (folder / "vocab.json").write_text(json.dumps({text: index for index, text in enumerate(tokens)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "CLIPTokenizer", "model_max_length": 77, "pad_token": "!"})
    )


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="the folder to make")
    parser.add_argument("--dtype", choices=DTYPES, default="fp16", help="of all weights")
    parser.add_argument(
        "--full", choices=COMPONENTS, nargs="+", default=COMPONENTS, help="components at published size"
    )
    parser.add_argument("--layers", type=int, help="of each block of a full UNet on the way down, instead of 2")
    arguments = parser.parse_args()
    if arguments.folder.exists():
        parser.error(f"{arguments.folder} is there already; name a new folder")
    write_folder(arguments.folder, dtype=DTYPES[arguments.dtype], full=arguments.full, layers=arguments.layers)


if __name__ == "__main__":
    main()
