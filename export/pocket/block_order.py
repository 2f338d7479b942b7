"""Compare both orders of norm and depthwise convolution in the denoiser's blocks, all else equal.

`python -m vidrt.export.pocket.block_order train OUT norm-first`, the same with `depthwise-first`, then
`... compare OUT`. Both train from the same random weights on the same clips and batches, in the latents of a bundle's
autoencoder. Started again, training goes on where it was.
"""

from __future__ import annotations

import dataclasses
import json
from enum import Enum
from pathlib import Path
from typing import Annotated

import torch
import typer

import vidrt
from vidrt.export.exporter import export_bundle
from vidrt.export.models.pocket import bundle_spec
from vidrt.export.options import ExportOptions

from .checkpoint import Networks, bundle_networks, load_networks, random_networks, save_networks
from .config import PocketConfig
from .convolutions import enable_training_kernel, keep_freed_memory
from .dataset import DrawnClips, draw_clips, has_latents, load_clips, save_latents
from .evaluation.evaluate import Judged, Setting, ask, judge_generated
from .evaluation.probe import ProbeOptions, train_probe
from .evaluation.report import table
from .losses import FlowLoss, TextToLatents
from .render import ClipSize
from .told_errors import told_errors
from .train import WEIGHTS, encode
from .trainer import Trainer, TrainOptions

SIZE = ClipSize()
BATCH = 32
NEW_CLIPS = 256
"""Drawn beside those trained on, for a loss that both orders are asked for in the end."""
NEW_SEED = 1_000
LOSS_BATCHES = 64
RESULT = "result.json"


class Order(str, Enum):
    """What comes first in a block."""

    NORM_FIRST = "norm-first"
    DEPTHWISE_FIRST = "depthwise-first"

    def networks(self, bundle: Path, seed: int) -> Networks:
        """The bundle's autoencoder with a text encoder and denoiser of random weights, the same for both orders."""
        config = PocketConfig()
        denoiser = dataclasses.replace(config.denoiser, norm_first=self is Order.NORM_FIRST)
        fresh = random_networks(dataclasses.replace(config, denoiser=denoiser), seed)
        shipped = bundle_networks(bundle, config)
        return dataclasses.replace(fresh, vae_decoder=shipped.vae_decoder, vae_encoder=shipped.vae_encoder)


def encoded_clips(folder: Path, count: int, seed: int, networks: Networks) -> DrawnClips:
    """Clips with latents; what is there already is not made again."""
    draw_clips(folder, count, seed, SIZE)
    if not has_latents(folder):
        save_latents(folder, networks.vae_decoder.normalise(encode(folder, networks)).numpy())
    return load_clips(folder, share=1.0)


@torch.no_grad()
def new_loss(networks: Networks, clips: DrawnClips) -> float:
    """The mean training loss of batches that are the same for both orders."""
    loss = FlowLoss([clips], BATCH, networks.config.text.max_length)
    generator = torch.Generator().manual_seed(0)
    module = TextToLatents(networks.text_encoder, networks.denoiser)
    return sum(loss(module, generator).item() for _ in range(LOSS_BATCHES)) / LOSS_BATCHES


def exported(folder: Path) -> Path:
    """The bundle of an order that was trained in a folder."""
    bundle = folder / "bundle"
    export_bundle(bundle_spec(load_networks(folder / WEIGHTS)), bundle, ExportOptions(overwrite=True))
    return bundle


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def train(
    out: Annotated[Path, typer.Argument(help="Folder for clips and results.")],
    order: Annotated[Order, typer.Argument(help="What comes first in a block.")],
    bundle: Annotated[Path, typer.Option(help="The pocket bundle whose autoencoder is used.")] = Path("models/pocket"),
    steps: Annotated[int, typer.Option(help="Steps of the denoiser.", min=1)] = 1500,
    clips: Annotated[int, typer.Option(help="Clips to draw.", min=BATCH)] = 2048,
    seed: Annotated[int, typer.Option(help="Seed of everything random.", min=0)] = 0,
    threads: Annotated[int, typer.Option(help="Compute threads.", min=1)] = 1,
) -> None:
    """Train one order for so many steps."""
    torch.set_num_threads(threads)
    folder = out / order.value
    with told_errors():
        networks = order.networks(bundle, seed)
        folder.mkdir(parents=True, exist_ok=True)
        keep_freed_memory()
        enable_training_kernel()
        drawn = encoded_clips(out / "clips", clips, seed, networks)
        new = encoded_clips(out / "new-clips", NEW_CLIPS, seed + NEW_SEED, networks)
        module = TextToLatents(networks.text_encoder, networks.denoiser)
        trainer = Trainer("denoiser", module, TrainOptions(steps, 1e-3, save_seconds=60.0, seed=seed), folder)
        trainer.run(FlowLoss([drawn], BATCH, networks.config.text.max_length))
        trainer.load_average()
        save_networks(folder / WEIGHTS, networks)
    result = {"steps": steps, "clips": clips, "seed": seed, "loss of new clips": new_loss(networks, new)}
    (folder / RESULT).write_text(json.dumps(result))
    typer.echo(f"{order.value}: {result}")


@app.command()
def compare(
    out: Annotated[Path, typer.Argument(help="The folder that both orders were trained in.")],
    prompts: Annotated[int, typer.Option(help="Prompts for each order.", min=1)] = 300,
    seed: Annotated[int, typer.Option(help="Seed of prompts and clips.", min=0, max=10**6)] = 0,
    probe_steps: Annotated[int, typer.Option(help="Training steps of the probe.", min=1)] = 1000,
    threads: Annotated[int, typer.Option(help="Compute threads.", min=1)] = 1,
) -> None:
    """Export both orders, generate the same prompts with each and print what is right, and the loss of new clips."""
    torch.set_num_threads(threads)
    columns: dict[str, list[Judged]] = {}
    with told_errors():
        bundles = {order.value: exported(out / order.value) for order in Order}
        probe = train_probe(ProbeOptions(steps=probe_steps))
        for name, bundle in bundles.items():
            pipe = vidrt.TextToVideoPipeline(bundle, threads=threads)
            clips = judge_generated(pipe, Setting(17, 64, prompts).options, ask(prompts, seed), probe)
            columns[name] = [one for one, _ in clips]
            typer.echo(f"{name}: {json.loads((out / name / RESULT).read_text())}")
    typer.echo(table(columns))


if __name__ == "__main__":
    app()
