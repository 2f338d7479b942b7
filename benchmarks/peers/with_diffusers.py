"""A case in diffusers' pipeline of the bundle's checkpoint: contiguous, channels-last, or compiled."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import torch
from checkpoint_pipelines import open_pipeline

from vidrt.engine.bench.measuring import Marks, measure_and_print, peak_rss_mib


def main() -> None:
    """Read the request from the first argument, run it, print the result."""
    request = json.loads(sys.argv[1])
    imports_mib = peak_rss_mib()
    options, form = request["options"], request["form"]
    torch.set_num_threads(options["threads"])
    opened = open_pipeline(Path(request["bundle"]).parent / "checkpoint", form)
    latents = torch.from_numpy(np.load(request["latents"])).unsqueeze(0)
    if form == "channels-last":
        latents = latents.to(memory_format=torch.channels_last_3d)
    sizes = {key: options[key] for key in ("height", "width", "num_frames", "num_inference_steps", "guidance_scale")}

    @torch.inference_mode()
    def run(frames_path: str | None = None) -> dict[str, Any]:
        start = time.perf_counter()
        embeds, negative = opened.encode()
        encoded = time.perf_counter()
        denoised = opened.pipeline(
            prompt_embeds=embeds, negative_prompt_embeds=negative, latents=latents, output_type="latent", **sizes
        ).frames
        sampled = time.perf_counter()
        frames = opened.decode(denoised)
        end = time.perf_counter()
        if frames_path is not None:
            np.save(frames_path, np.round(frames * 255).astype(np.uint8))
        return Marks(start, encoded, sampled, first_frame=end, end=end, chunks=0).row()  # all frames come at once

    run(request["frames"])
    backend = f"diffusers {diffusers.__version__} on PyTorch {torch.__version__}, {form}"
    measure_and_print(backend, imports_mib, request, run)


if __name__ == "__main__":
    main()
