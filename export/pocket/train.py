"""Train the pocket model: `python -m vidrt.export.pocket.train OUT`. Started again, it goes on where it was."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import torch
import typer
from torch import Tensor

from .captions import vocabulary
from .checkpoint import Networks, save_networks
from .config import PocketConfig
from .convolutions import enable_training_kernel
from .dataset import draw_clips, has_latents, load_attributes, load_frames, load_latents, load_masks, save_latents
from .denoiser import Denoiser
from .losses import Autoencoder, AutoencoderLoss, EncodedClips, FlowLoss, TextToLatents, to_frames
from .render import ClipSize
from .text_encoder import TextEncoder
from .trainer import CheckpointError, Trainer, TrainOptions
from .vae import VaeDecoder, VaeEncoder

ENCODE_BATCH = 32
CLIP_SIZE = ClipSize()
AUTOENCODER_FRAMES = 17
DENOISER_FRAMES = (9, 17, 25, 33)
"""Clips of every length have the same number of frames in all, so that none outweighs the others."""


def clips_folder(folder: Path, num_frames: int) -> Path:
    """Where the clips of one length lie."""
    return folder / f"clips-{num_frames}"


def draw_all_clips(folder: Path, clips: int, seed: int) -> None:
    """Stage 0: clips of every length; `clips` of the length that the autoencoder is trained on."""
    for num_frames in sorted({AUTOENCODER_FRAMES, *DENOISER_FRAMES}):
        count = max(1, clips * AUTOENCODER_FRAMES // num_frames)
        size = dataclasses.replace(CLIP_SIZE, num_frames=num_frames)
        draw_clips(clips_folder(folder, num_frames), count, seed + num_frames, size)


def train_autoencoder(folder: Path, config: PocketConfig, options: TrainOptions, batch: int) -> Autoencoder:
    """Stage 1: frames to latents and back."""
    torch.manual_seed(options.seed)
    module = Autoencoder(VaeEncoder(config.vae), VaeDecoder(config.vae))
    trainer = Trainer("vae", module, options, folder)
    clips = clips_folder(folder, AUTOENCODER_FRAMES)
    trainer.run(AutoencoderLoss(load_frames(clips), load_masks(clips), batch))
    trainer.load_average()
    return module


@torch.no_grad()
def encode(clips: Path, module: Autoencoder) -> Tensor:
    """Latents of all clips of a folder, in the autoencoder's own space."""
    frames = load_frames(clips)
    means = []
    for start in range(0, len(frames), ENCODE_BATCH):
        with torch.autocast("cpu", torch.bfloat16):
            means.append(module.encoder(to_frames(frames[start : start + ENCODE_BATCH]))[0].float())
    return torch.cat(means)


def encode_clips(folder: Path, module: Autoencoder) -> None:
    """Stage 2: all clips as latents of zero mean and unit deviation a channel, which the decoder undoes.

    Both are measured on the clips that the autoencoder was trained on. What is there already is not made again.
    """
    path = folder / "latent_statistics.pt"
    if not path.is_file():
        latents = encode(clips_folder(folder, AUTOENCODER_FRAMES), module)
        torch.save({"mean": latents.mean(dim=(0, 2, 3, 4)), "std": latents.std(dim=(0, 2, 3, 4))}, path)
    statistics = torch.load(path, weights_only=True)
    module.decoder.latent_mean.copy_(statistics["mean"])
    module.decoder.latent_std.copy_(statistics["std"])
    mean, std = (statistics[key].view(-1, 1, 1, 1) for key in ("mean", "std"))
    for num_frames in DENOISER_FRAMES:
        clips = clips_folder(folder, num_frames)
        if not has_latents(clips):
            save_latents(clips, ((encode(clips, module) - mean) / std).numpy())


def train_denoiser(folder: Path, config: PocketConfig, options: TrainOptions, batch: int, decoder: VaeDecoder) -> None:
    """Stage 3: text and noise to latents. Every save also writes the shippable weights."""
    torch.manual_seed(options.seed)
    module = TextToLatents(TextEncoder(config.text), Denoiser(config.denoiser))
    trainer = Trainer("denoiser", module, options, folder)
    shipped = TextToLatents(TextEncoder(config.text), Denoiser(config.denoiser))

    def ship(trainer: Trainer) -> None:
        shipped.load_state_dict(trainer.average)
        networks = Networks(config, shipped.text_encoder, shipped.denoiser, decoder)
        save_networks(folder / "pocket.safetensors", networks)

    lengths = []
    for num_frames in DENOISER_FRAMES:
        clips = clips_folder(folder, num_frames)
        lengths.append(EncodedClips(torch.from_numpy(load_latents(clips)), load_attributes(clips)))
    trainer.run(FlowLoss(lengths, batch, config.text.max_length), on_save=ship)


def run(
    out: Annotated[Path, typer.Argument(help="Folder for clips, checkpoints, logs and pocket.safetensors.")],
    clips: Annotated[int, typer.Option(help="Clips to draw of 17 frames; as many frames of the other lengths.")] = 8192,
    vae_steps: Annotated[int, typer.Option(help="Steps of the autoencoder.")] = 1700,
    denoiser_steps: Annotated[int, typer.Option(help="Steps of the denoiser.")] = 24000,
    vae_batch: Annotated[int, typer.Option(help="Clips a step of the autoencoder.")] = 8,
    denoiser_batch: Annotated[
        int, typer.Option(help="Clips of 17 frames a step of the denoiser; fewer where they are longer.")
    ] = 32,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
    threads: Annotated[int, typer.Option(help="Compute threads.")] = 2,
) -> None:
    """Draw the data, train the autoencoder, encode the clips, train the denoiser."""
    torch.set_num_threads(threads)
    out.mkdir(parents=True, exist_ok=True)
    config = PocketConfig()
    if len(vocabulary()) > config.text.vocab_size:
        raise typer.BadParameter(f"{len(vocabulary())} words do not fit {config.text.vocab_size} embeddings.")
    try:
        enable_training_kernel()
        draw_all_clips(out, clips, seed)
        base = TrainOptions(steps=vae_steps, learning_rate=2e-3, seed=seed)
        module = train_autoencoder(out, config, base, vae_batch)
        encode_clips(out, module)
        denoiser = dataclasses.replace(base, steps=denoiser_steps, learning_rate=1e-3)
        train_denoiser(out, config, denoiser, denoiser_batch, module.decoder)
    except (CheckpointError, OSError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error
    except KeyboardInterrupt:
        typer.echo(f"stopped; run the same command again to go on from {out}.", err=True)
        raise typer.Exit(130) from None
    typer.echo(f"wrote {out / 'pocket.safetensors'}")


if __name__ == "__main__":
    typer.run(run)
