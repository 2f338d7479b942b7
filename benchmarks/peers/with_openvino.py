"""A case in OpenVINO on the bundle's own graphs. Only the sampling loop is ours; the pocket model only."""

from __future__ import annotations

import itertools
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import openvino

from vidrt._core import Variant
from vidrt.engine.bench.measuring import MODULES, PROMPT, Marks, measure_and_print, peak_rss_mib
from vidrt.engine.bundle import Bundle


def _stock_variant(bundle: Bundle, module: str) -> Variant:
    """The fp32 graph of a module that needs no operators of vidrt's own."""
    variants = bundle.modules[module].variants
    return next(variant for variant in variants if variant.precision == "fp32" and not variant.custom_ops)


class Modules:
    """The bundle's graphs, compiled for the processor."""

    def __init__(self, folder: Path, bundle: Bundle, threads: int) -> None:
        core = openvino.Core()
        settings = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
        variants = {name: _stock_variant(bundle, name) for name in MODULES}
        self.outputs = {name: [tensor.name for tensor in variant.outputs] for name, variant in variants.items()}
        self.requests = {
            name: core.compile_model(folder / variant.file, "CPU", settings).create_infer_request()
            for name, variant in variants.items()
        }

    def run(self, name: str, **inputs: Any) -> dict[str, Any]:
        """One inference; outputs by name."""
        results = self.requests[name].infer(inputs, share_inputs=True)
        # A tensor may have several names there, so that order is what identifies an output.
        return {output: value.copy() for output, value in zip(self.outputs[name], results.values(), strict=True)}


def sigmas(steps: int) -> list[float]:
    """Of flow-matching Euler with shift 2, as diffusers spaces them: shifted twice, in timesteps of 1000."""
    first, last = 1.0, 2.0 * 0.001 / (1 + 0.001)
    spaced = np.linspace(first, last, steps)
    return [*(2.0 * spaced / (1 + spaced)).tolist(), 0.0]


def main() -> None:
    """Read the request from the first argument, run it, print the result."""
    request = json.loads(sys.argv[1])
    imports_mib = peak_rss_mib()
    options = request["options"]
    bundle = Bundle(request["bundle"])
    modules = Modules(Path(request["bundle"]), bundle, options["threads"])
    length = bundle.manifest.tokenizer.max_length
    initial = np.load(request["latents"])[None]

    def run(frames_path: str | None = None) -> dict[str, Any]:
        start = time.perf_counter()
        rows = [list(bundle.tokenizer.encode(text).ids) for text in ("", PROMPT)]
        ids = np.array([row + [0] * (length - len(row)) for row in rows])
        mask = np.array([[1] * len(row) + [0] * (length - len(row)) for row in rows])
        embeds = modules.run("text_encoder", input_ids=ids, attention_mask=mask)["text_embeds"]
        encoded = time.perf_counter()
        latents, levels = initial, sigmas(options["num_inference_steps"])
        for level, following in itertools.pairwise(levels):
            timestep = np.full((2, latents.shape[2]), 1000 * level, np.float32)
            both = np.concatenate([latents, latents])
            result = modules.run("denoiser", latents=both, timestep=timestep, text_embeds=embeds, text_mask=mask)
            negative, positive = result["prediction"][:1], result["prediction"][1:]
            velocity = negative + np.float32(options["guidance_scale"]) * (positive - negative)
            latents = latents + np.float32(following - level) * velocity
        sampled = time.perf_counter()
        step = modules.run("vae_decoder_first", latents=latents[:, :, :1])
        pieces, first = [step.pop("frames")], time.perf_counter()
        for index in range(1, latents.shape[2]):
            caches = {name.replace("out", "in"): value for name, value in step.items()}
            step = modules.run("vae_decoder_next", latents=latents[:, :, index : index + 1], **caches)
            pieces.append(step.pop("frames"))
        frames = np.concatenate(pieces, axis=2)[0].transpose(1, 2, 3, 0)
        pixels = np.rint((frames * 0.5 + 0.5).clip(0, 1) * 255).astype(np.uint8)
        end = time.perf_counter()
        if frames_path is not None:
            np.save(frames_path, pixels)
        return Marks(start, encoded, sampled, first, end, chunks=latents.shape[2] - 1).row()

    run(request["frames"])
    measure_and_print(f"OpenVINO {openvino.__version__.split('-')[0]}", imports_mib, request, run)


if __name__ == "__main__":
    main()
