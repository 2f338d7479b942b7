"""diffusers' pipelines of the checkpoints that bundles are exported from, in the stages that are measured.

Weights stay mapped from the checkpoint's files, as vidrt maps those of a bundle.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from diffusers import (
    DDIMScheduler,
    TextToVideoSDPipeline,
    UniPCMultistepScheduler,
    WanPipeline,
    WanTransformer3DModel,
)
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTokenizer, T5Tokenizer

from vidrt.engine.bench.measuring import PROMPT
from vidrt.export.diffusers_folder import read_index
from vidrt.export.unet3d.folder import read_folder as read_unet3d_folder
from vidrt.export.wan.folder import read_folder as read_wan_folder

Frames = npt.NDArray[np.float32]
"""(F,H,W,3), levels of 0 to 1."""


class Wan:
    """WanPipeline.

    Args:
        folder: The checkpoint's.
        form: "contiguous", "channels-last" or "compiled".
    """

    def __init__(self, folder: Path, form: str) -> None:
        model = read_wan_folder(folder)
        # Its rotary tables are no weights: only a transformer that is built with memory has them.
        transformer = WanTransformer3DModel.from_config(model.transformer.config)
        transformer.load_state_dict(model.transformer.state_dict(), assign=True)
        transformer.eval().requires_grad_(False)
        if form == "channels-last":
            _lay_channels_last((transformer, model.vae), (nn.Conv3d,))
        if form == "compiled":
            _compile((transformer, model.vae.decoder))
        self.pipeline = WanPipeline(
            tokenizer=T5Tokenizer.from_pretrained(folder / "tokenizer", extra_ids=0),
            text_encoder=model.text_encoder,
            transformer=transformer,
            vae=model.vae,
            scheduler=UniPCMultistepScheduler.from_config(dict(model.scheduler)),
            expand_timesteps=model.expand_timesteps,
        )
        config = model.vae.config
        self.mean, self.deviation = (
            torch.tensor(values).view(1, -1, 1, 1, 1) for values in (config.latents_mean, config.latents_std)
        )

    def encode(self) -> tuple[Tensor, Tensor]:
        """The embeddings of the prompt and of an empty one, at the length that the pipeline asks for."""
        embeds: tuple[Tensor, Tensor] = self.pipeline.encode_prompt(PROMPT, "", max_sequence_length=512)
        return embeds

    def decode(self, latents: Tensor) -> Frames:
        """A clip of latents."""
        decoded = self.pipeline.vae.decode(latents * self.deviation + self.mean, return_dict=False)[0]
        frames: Frames = self.pipeline.video_processor.postprocess_video(decoded, output_type="np")[0]
        return frames


class TextToVideo:
    """TextToVideoSDPipeline.

    Args:
        folder: The checkpoint's.
        form: "contiguous", "channels-last" or "compiled".
    """

    def __init__(self, folder: Path, form: str) -> None:
        model = read_unet3d_folder(folder)
        # The numbers of its positions are no weights: only an encoder that is built with memory has them.
        text_encoder = CLIPTextModel(model.text_encoder.config)
        text_encoder.load_state_dict(model.text_encoder.state_dict(), assign=True)
        text_encoder.eval().requires_grad_(False)
        if form == "channels-last":
            _lay_channels_last((model.unet, model.vae), tuple(_LAYOUTS))
        if form == "compiled":
            _compile((model.unet, model.vae.decoder))
        self.pipeline = TextToVideoSDPipeline(
            tokenizer=CLIPTokenizer.from_pretrained(folder / "tokenizer"),
            text_encoder=text_encoder,
            unet=model.unet,
            vae=model.vae,
            scheduler=DDIMScheduler.from_config(dict(model.scheduler)),
        )

    def encode(self) -> tuple[Tensor, Tensor]:
        """The embeddings of the prompt and of an empty one."""
        embeds: tuple[Tensor, Tensor] = self.pipeline.encode_prompt(PROMPT, torch.device("cpu"), 1, True, "")
        return embeds

    def decode(self, latents: Tensor) -> Frames:
        """A clip of latents."""
        decoded = self.pipeline.decode_latents(latents)
        frames: Frames = self.pipeline.video_processor.postprocess_video(decoded, output_type="np")[0]
        return frames


_PIPELINES: dict[str, type[Wan] | type[TextToVideo]] = {"WanPipeline": Wan, "TextToVideoSDPipeline": TextToVideo}


def open_pipeline(folder: Path, form: str) -> Wan | TextToVideo:
    """The pipeline of a checkpoint that vidrt can export.

    Args:
        folder: As diffusers' save_pretrained() writes it.
        form: "contiguous", "channels-last" or "compiled".
    """
    kind = read_index(folder, "beside the bundle that was exported from it.")["_class_name"]
    opened = _PIPELINES[kind](folder, form)
    opened.pipeline.set_progress_bar_config(disable=True)
    return opened


Convolution: TypeAlias = nn.Conv2d | nn.Conv3d
_LAYOUTS: dict[type[Convolution], torch.memory_format] = {
    nn.Conv2d: torch.channels_last,
    nn.Conv3d: torch.channels_last_3d,
}


def _lay_channels_last(networks: Iterable[nn.Module], kinds: Iterable[type[Convolution]]) -> None:
    """Lay out the weights of these kinds of convolutions; a whole network has both kinds, which one call cannot."""
    for layer in (layer for network in networks for layer in network.modules()):
        for kind in kinds:
            if isinstance(layer, kind):
                layer.weight.data = layer.weight.data.to(memory_format=_LAYOUTS[kind])


def _compile(networks: Iterable[Any]) -> None:
    for network in networks:
        network.compile()
