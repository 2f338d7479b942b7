"""What Wan models of published sizes would take on a device, from graphs of a few of their layers.

All layers of a denoiser are alike, so its time grows by the same amount with each: two bundles, of two and of four
layers of full width, say how long all of them take. Weights are random, and none is read for a prediction.
"""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import torch
from wan_folder import SIZES, write_folder

import vidrt
from vidrt.engine.precision import EVERY_MODULE
from vidrt.engine.predict import DeviceSpec, PredictedStage, predict
from vidrt.export.exporter import export_bundle
from vidrt.export.models.wan import load
from vidrt.export.options import ExportOptions
from vidrt.export.registry import ModelSource

LAYERS = (2, 4)


@dataclasses.dataclass(frozen=True)
class Part:
    """A stage, or several, of a generation.

    Attributes:
        best: Seconds, predicted at the best.
        worst: Likewise at the worst.
        flops: Operations.
    """

    best: float
    worst: float
    flops: float

    def __add__(self, other: Part) -> Part:
        return Part(*(getattr(self, name) + getattr(other, name) for name in ("best", "worst", "flops")))

    def further(self, other: Part, steps: float) -> Part:
        """What is `steps` times as far from here as `other` is."""
        pairs = ((getattr(self, name), getattr(other, name)) for name in ("best", "worst", "flops"))
        return Part(*(here + (there - here) * steps for here, there in pairs))


def bundle_of(size: str, layers: int, folder: Path) -> Path:
    """A bundle whose denoiser has that many layers of published width, and the smaller one the whole VAE.

    It is kept in the folder, and made once: some minutes and up to 10 GB of disk.
    """
    bundle = folder / f"{size}-{layers}"
    if not (bundle / "manifest.json").is_file():
        source = folder / f"{size}-{layers}.source"
        if not (source / "model_index.json").is_file():  # written last; an export of what is whole goes on
            shutil.rmtree(source, ignore_errors=True)
            full = ("transformer", "vae") if layers == min(LAYERS) else ("transformer",)
            write_folder(size, source, dtype=torch.bfloat16, full=full, layers=layers)
        export_bundle(load(ModelSource(source)), bundle, ExportOptions({EVERY_MODULE: ("bf16",)}, "bf16"))
        shutil.rmtree(source)
    return bundle


def predicted_wan(size: str, device: DeviceSpec, options: vidrt.GenerateOptions, folder: Path) -> dict[str, Part]:
    """The denoiser with all its layers, and the decoder, in bf16."""
    fewer, more = (
        predict(vidrt.TextToVideoPipeline(bundle_of(size, layers, folder)), device, options, "bf16").stages
        for layers in LAYERS
    )
    layers = SIZES[size].full["transformer"]["num_layers"]
    steps = (layers - LAYERS[0]) / (LAYERS[1] - LAYERS[0])
    return {
        "denoiser": _part(fewer, "denoiser").further(_part(more, "denoiser"), steps),
        "decoder": _part(fewer, "vae_decoder"),
    }


def _part(stages: tuple[PredictedStage, ...], module: str) -> Part:
    """The stages of the modules whose names begin so."""
    parts = [
        Part(stage.best.total, stage.worst.total, stage.flops) for stage in stages if stage.module.startswith(module)
    ]
    return sum(parts, Part(0.0, 0.0, 0.0))
