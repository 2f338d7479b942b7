"""Train the pocket model: `python -m vidrt.export.pocket.train OUT`. Started again, it goes on where it was."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.progress import track
from torch import Tensor

from .captions import vocabulary
from .checkpoint import Networks, bundle_networks, random_networks, save_networks
from .config import PocketConfig
from .convolutions import enable_training_kernel, keep_freed_memory
from .dataset import DrawnClips, draw_clips, has_latents, load_clips, load_frames, load_masks, save_latents
from .loss_plot import plot_losses
from .losses import Autoencoder, AutoencoderLoss, DecoderLoss, FlowLoss, TextToLatents, to_frames
from .render import ClipSize
from .told_errors import told_errors
from .trainer import Trainer, TrainOptions

ENCODE_FRAMES = 32 * 17
"""Frames encoded at once, about."""
AUTOENCODER_SIZE = ClipSize()
DENOISER_SIZES = {
    ClipSize(9): 0.1,
    ClipSize(17): 0.4,
    ClipSize(25): 0.1,
    ClipSize(33): 0.2,
    ClipSize(17, 96, 96): 0.2,
}
"""What the denoiser sees, and how often. Of every size there are as many pixels in all."""
WEIGHTS = "pocket.safetensors"


@dataclasses.dataclass(frozen=True)
class Plan:
    """How long each stage trains, and on how many clips a step (of 17 frames of 64x64; fewer where they are larger)."""

    vae_steps: int
    denoiser_steps: int
    decoder_steps: int
    vae_batch: int
    denoiser_batch: int
    learning_rate: float
    seed: int


def clips_folder(folder: Path, size: ClipSize) -> Path:
    """Where the clips of one size lie."""
    return folder / f"clips-{size.num_frames}x{size.height}x{size.width}"


def pixels(size: ClipSize) -> int:
    """Of one clip."""
    return size.num_frames * size.height * size.width


def draw_all_clips(folder: Path, clips: int, seed: int) -> None:
    """Stage 0: clips of every size; `clips` of the one that the autoencoder is trained on."""
    for number, size in enumerate(dict.fromkeys([AUTOENCODER_SIZE, *DENOISER_SIZES])):
        count = max(1, clips * pixels(AUTOENCODER_SIZE) // pixels(size))
        draw_clips(clips_folder(folder, size), count, seed + number, size)


def train_autoencoder(folder: Path, networks: Networks, plan: Plan) -> None:
    """Stage 1: frames to latents and back."""
    torch.manual_seed(plan.seed)
    module = Autoencoder(networks.vae_encoder, networks.vae_decoder)
    trainer = Trainer("vae", module, TrainOptions(plan.vae_steps, 2e-3, seed=plan.seed), folder)
    clips = clips_folder(folder, AUTOENCODER_SIZE)
    trainer.run(AutoencoderLoss(load_frames(clips), load_masks(clips), plan.vae_batch))
    trainer.load_average()


@torch.no_grad()
def encode(clips: Path, networks: Networks) -> Tensor:
    """Latents of all clips of a folder, in the autoencoder's own space."""
    frames = load_frames(clips)
    batch = max(1, ENCODE_FRAMES // frames.shape[1])
    means = []
    for start in track(range(0, len(frames), batch), f"encoding {clips.name}"):
        with torch.autocast("cpu", torch.bfloat16):
            means.append(networks.vae_encoder(to_frames(frames[start : start + batch]))[0].float())
    return torch.cat(means)


def measure_latents(folder: Path, networks: Networks) -> None:
    """Set the decoder's statistics so that the latents of the autoencoder's clips have zero mean and unit deviation."""
    path = folder / "latent_statistics.pt"
    if not path.is_file():
        latents = encode(clips_folder(folder, AUTOENCODER_SIZE), networks)
        torch.save({"mean": latents.mean(dim=(0, 2, 3, 4)), "std": latents.std(dim=(0, 2, 3, 4))}, path)
    statistics = torch.load(path, weights_only=True)
    networks.vae_decoder.latent_mean.copy_(statistics["mean"])
    networks.vae_decoder.latent_std.copy_(statistics["std"])


def encode_clips(folder: Path, networks: Networks) -> list[DrawnClips]:
    """Stage 2: all clips as normalised latents; what is there already is not made again."""
    for size in DENOISER_SIZES:
        clips = clips_folder(folder, size)
        if not has_latents(clips):
            save_latents(clips, networks.vae_decoder.normalise(encode(clips, networks)).numpy())
    return [load_clips(clips_folder(folder, size), share) for size, share in DENOISER_SIZES.items()]


def train_denoiser(folder: Path, networks: Networks, plan: Plan, clips: list[DrawnClips]) -> None:
    """Stage 3: text and noise to latents."""
    torch.manual_seed(plan.seed)
    module = TextToLatents(networks.text_encoder, networks.denoiser)
    trainer = Trainer("denoiser", module, TrainOptions(plan.denoiser_steps, plan.learning_rate, seed=plan.seed), folder)
    trainer.run(FlowLoss(clips, plan.denoiser_batch, networks.config.text.max_length))
    trainer.load_average()


def train_decoder(folder: Path, networks: Networks, plan: Plan, clips: list[DrawnClips]) -> None:
    """Stage 4: the decoder alone, for latents that are not exact."""
    trainer = Trainer("decoder", networks.vae_decoder, TrainOptions(plan.decoder_steps, 5e-4, seed=plan.seed), folder)
    trainer.run(DecoderLoss(clips, plan.vae_batch))
    trainer.load_average()


def train(folder: Path, networks: Networks, plan: Plan, clips: int, autoencoder_is_trained: bool) -> None:
    """All stages, from drawing to pocket.safetensors."""
    draw_all_clips(folder, clips, plan.seed)
    if not autoencoder_is_trained:
        train_autoencoder(folder, networks, plan)
        measure_latents(folder, networks)
    drawn = encode_clips(folder, networks)
    train_denoiser(folder, networks, plan, drawn)
    train_decoder(folder, networks, plan, drawn)
    save_networks(folder / WEIGHTS, networks)
    plot_losses(folder)


def run(
    out: Annotated[Path, typer.Argument(help=f"Folder for clips, checkpoints, logs, losses.png and {WEIGHTS}.")],
    start_from: Annotated[
        Path | None,
        typer.Option(help="A pocket bundle whose networks are trained further; its autoencoder is taken as it is."),
    ] = None,
    clips: Annotated[int, typer.Option(help="Clips to draw of 17 frames; as many pixels of the other sizes.")] = 8192,
    vae_steps: Annotated[int, typer.Option(help="Steps of the autoencoder.")] = 1700,
    denoiser_steps: Annotated[int, typer.Option(help="Steps of the denoiser.")] = 20000,
    decoder_steps: Annotated[int, typer.Option(help="Steps of the decoder alone, after the denoiser.")] = 1000,
    vae_batch: Annotated[int, typer.Option(help="Clips a step of the autoencoder.")] = 8,
    denoiser_batch: Annotated[
        int, typer.Option(help="Clips of 17 frames a step of the denoiser; fewer where they are larger.")
    ] = 32,
    learning_rate: Annotated[float, typer.Option(help="Of the denoiser, at its highest.")] = 1e-3,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
    threads: Annotated[int, typer.Option(help="Compute threads.")] = 2,
) -> None:
    """Draw the data, train the autoencoder, encode the clips, train the denoiser, then the decoder on noisy latents."""
    torch.set_num_threads(threads)
    config = PocketConfig()
    if len(vocabulary()) > config.text.vocab_size:
        raise typer.BadParameter(f"{len(vocabulary())} words do not fit {config.text.vocab_size} embeddings.")
    plan = Plan(vae_steps, denoiser_steps, decoder_steps, vae_batch, denoiser_batch, learning_rate, seed)
    try:
        with told_errors():
            networks = random_networks(config, seed) if start_from is None else bundle_networks(start_from, config)
            out.mkdir(parents=True, exist_ok=True)
            keep_freed_memory()
            enable_training_kernel()
            train(out, networks, plan, clips, autoencoder_is_trained=start_from is not None)
    except KeyboardInterrupt:
        plot_losses(out)
        typer.echo(f"stopped; run the same command again to go on from {out}.", err=True)
        raise typer.Exit(130) from None
    typer.echo(f"wrote {out / WEIGHTS}")


if __name__ == "__main__":
    typer.run(run)
