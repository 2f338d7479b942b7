"""`vidrt predict`: how long a generation would take on a device that is not here."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from vidrt.engine.cli import arguments as arg
from vidrt.engine.cli.text import described_tiles, print_json
from vidrt.engine.options import GenerateOptions
from vidrt.engine.predict import Prediction, device_spec, known_devices
from vidrt.engine.predict.devices import CPU
from vidrt.engine.predict.memory import PredictedMemory
from vidrt.engine.text import human_bytes, human_ms
from vidrt.engine.vae_tiling import VaeTiling

_WIDTH = 100
"""Of the table at least: narrower ones would cut figures off."""
_FITS = {
    "all": "fits into {device} with all modules loaded, if nothing else is in it",
    "stage_by_stage": "fits into {device} with the modules of one stage at a time ({stage}), if nothing else is in it",
    "no": "does not fit into {device}, not with the modules of one stage at a time either ({stage})",
}
PredictedDevice = Annotated[
    str,
    typer.Option(
        "--device", help=f"{', '.join(known_devices())}, or {CPU}: this machine's, measured now.", show_default=False
    ),
]
Precision = Annotated[str | None, typer.Option(help="fp32, fp16 or bf16. (default: what the device's backend prefers)")]


def predict(
    device: PredictedDevice,
    folder: arg.BundleFolder = None,
    height: arg.Height = None,
    width: arg.Width = None,
    num_frames: arg.NumFrames = None,
    num_inference_steps: arg.Steps = None,
    guidance_scale: arg.GuidanceScale = None,
    decode_chunk: arg.DecodeChunk = None,
    vae_tiling: arg.VaeTilingOption = "auto",
    precision: Precision = None,
    json: arg.Json = False,
) -> None:
    """Predict how long a generation would take on a device that is not here. Loads nothing, measures nothing of it."""
    from vidrt.engine.predict import predict as predicted

    options = GenerateOptions(
        height=height,
        width=width,
        num_frames=num_frames,
        num_inference_steps=num_inference_steps,
        guidance_scale=guidance_scale,
        decode_chunk=decode_chunk,
        vae_tiling=VaeTiling(vae_tiling),
    )
    pipe = arg.open_pipeline(folder, "onnxruntime", None, None, None, None)
    result = predicted(pipe, device_spec(device), options, precision)
    if json:
        print_json(result.to_dict())
    else:
        _print(result)


def _print(result: Prediction) -> None:
    plan = result.plan
    print(f"prediction for {result.device.title}: nothing of it was measured there")
    print(
        f"{plan.num_frames} frames of {plan.width}x{plan.height}, {plan.num_inference_steps} steps, "
        f"guidance {plan.guidance}, {plan.decode_chunk} latent frames a decode"
    )
    if plan.tiles.count > 1:
        print(described_tiles(plan.tiles))
    table = Table("module", "graph", "runs", "GFLOP", "moved", "predicted", "goes for", box=None, pad_edge=False)
    for stage in result.stages:
        limits = dict.fromkeys((stage.best.limit, stage.worst.limit))
        table.add_row(
            stage.module,
            stage.variant,
            str(stage.runs),
            f"{stage.flops / 1e9:,.1f}",
            human_bytes(stage.bytes),
            _range(stage.best.total, stage.worst.total),
            " or ".join(limits),
        )
    Console(highlight=False, markup=False, width=max(_WIDTH, Console().width)).print(table)
    print(f"predicted in all: {_range(result.best, result.worst)}")
    print(_memory(result.memory))
    print("assumed:")
    for sentence in result.assumptions:
        print(f"- {sentence}")


def _memory(memory: PredictedMemory) -> str:
    fits = _FITS[memory.fits].format(device=human_bytes(memory.device_bytes), stage=human_bytes(memory.stage_bytes))
    return (
        f"predicted memory {human_bytes(memory.total_bytes)}: weights {human_bytes(memory.weight_bytes)}, planned "
        f"tensors {human_bytes(memory.arena_bytes)}, inside modules {human_bytes(memory.working_bytes)}; {fits}"
    )


def _range(best: float, worst: float) -> str:
    return f"{_time(best)}-{_time(worst)}"


def _time(seconds: float) -> str:
    return f"{1000 * seconds:.1f} ms" if seconds < 0.01 else human_ms(1000 * seconds)
