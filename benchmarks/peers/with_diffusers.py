"""A case in diffusers' WanPipeline: contiguous, channels-last, or compiled. Wan's scenarios only."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import UniPCMultistepScheduler, WanPipeline, WanTransformer3DModel
from torch import nn
from transformers import T5Tokenizer

from vidrt.engine.bench.measuring import PROMPT, Marks, measure_and_print, peak_rss_mib
from vidrt.export.wan.folder import read_folder


def open_pipeline(folder: Path, form: str) -> WanPipeline:
    """The pipeline of a folder, in inference mode's memory format."""
    model = read_folder(folder)
    # Its rotary tables are no weights: only a transformer that is built with memory has them.
    transformer = WanTransformer3DModel.from_config(model.transformer.config)
    transformer.load_state_dict(model.transformer.state_dict(), assign=True)
    transformer.eval().requires_grad_(False)
    if form == "channels-last":
        layers = (layer for network in (transformer, model.vae) for layer in network.modules())
        for layer in (layer for layer in layers if isinstance(layer, nn.Conv3d)):
            layer.to(memory_format=torch.channels_last_3d)  # whole networks have 2D convolutions as well
    if form == "compiled":
        for network in (transformer, model.vae.decoder):
            network.compile()
    pipeline = WanPipeline(
        tokenizer=T5Tokenizer.from_pretrained(folder / "tokenizer", extra_ids=0),
        text_encoder=model.text_encoder,
        transformer=transformer,
        vae=model.vae,
        scheduler=UniPCMultistepScheduler.from_config(dict(model.scheduler)),
        expand_timesteps=model.expand_timesteps,
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def main() -> None:
    """Read the request from the first argument, run it, print the result."""
    request = json.loads(sys.argv[1])
    imports_mib = peak_rss_mib()
    options, form = request["options"], request["form"]
    torch.set_num_threads(options["threads"])
    pipeline = open_pipeline(Path(request["bundle"]).parent / "checkpoint", form)
    latents = torch.from_numpy(np.load(request["latents"])).unsqueeze(0)
    if form == "channels-last":
        latents = latents.to(memory_format=torch.channels_last_3d)
    sizes = {key: options[key] for key in ("height", "width", "num_frames", "num_inference_steps", "guidance_scale")}
    statistics = (pipeline.vae.config.latents_mean, pipeline.vae.config.latents_std)
    mean, deviation = (torch.tensor(values).view(1, -1, 1, 1, 1) for values in statistics)

    @torch.inference_mode()
    def run(frames_path: str | None = None) -> dict[str, Any]:
        start = time.perf_counter()
        # The length that the pipeline asks for; the method's own default is shorter.
        embeds, negative = pipeline.encode_prompt(PROMPT, "", max_sequence_length=512)
        encoded = time.perf_counter()
        denoised = pipeline(
            prompt_embeds=embeds, negative_prompt_embeds=negative, latents=latents, output_type="latent", **sizes
        ).frames
        sampled = time.perf_counter()
        decoded = pipeline.vae.decode(denoised * deviation + mean, return_dict=False)[0]
        frames = pipeline.video_processor.postprocess_video(decoded, output_type="np")[0]
        end = time.perf_counter()
        if frames_path is not None:
            np.save(frames_path, np.round(frames * 255).astype(np.uint8))
        return Marks(start, encoded, sampled, first_frame=end, end=end, chunks=0).row()  # all frames come at once

    run(request["frames"])
    measure_and_print(f"diffusers on PyTorch {torch.__version__}, {form}", imports_mib, request, run)


if __name__ == "__main__":
    main()
