"""A case in PyTorch with diffusers' scheduler: eager in two memory formats, or compiled. The pocket model only."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vidrt.engine.bench.measuring import PROMPT, Marks, measure_and_print, peak_rss_mib
from vidrt.engine.bundle import Bundle
from vidrt.export.pocket.checkpoint import bundle_networks
from vidrt.export.pocket.config import PocketConfig
from vidrt.export.pocket.reference import ReferencePipeline


def main() -> None:
    """Read the request from the first argument, run it, print the result."""
    request = json.loads(sys.argv[1])
    imports_mib = peak_rss_mib()
    options, form = request["options"], request["form"]
    torch.set_num_threads(options["threads"])
    networks = bundle_networks(Path(request["bundle"]), PocketConfig())
    if form == "channels-last":
        for network in networks.named().values():
            for parameter in network.parameters():
                if parameter.dim() == 5:
                    parameter.data = parameter.data.to(memory_format=torch.channels_last_3d)
    if form == "compiled":
        for network in networks.named().values():
            network.compile()
    pipeline = ReferencePipeline(networks, Bundle(request["bundle"]))
    latents = torch.from_numpy(np.load(request["latents"])).unsqueeze(0)
    if form == "channels-last":
        latents = latents.to(memory_format=torch.channels_last_3d)

    def run(frames_path: str | None = None) -> dict[str, Any]:
        start = time.perf_counter()
        embeds, mask = pipeline.encode(PROMPT)
        encoded = time.perf_counter()
        steps, guidance = options["num_inference_steps"], options["guidance_scale"]
        denoised = pipeline.denoise(latents, embeds, mask, steps, guidance)
        sampled = time.perf_counter()
        frames = pipeline.decode(denoised)
        end = time.perf_counter()
        if frames_path is not None:
            np.save(frames_path, frames)
        return Marks(start, encoded, sampled, first_frame=end, end=end, chunks=0).row()  # all frames come at once

    run(request["frames"])
    measure_and_print(f"PyTorch {torch.__version__}, {form}", imports_mib, request, run)


if __name__ == "__main__":
    main()
