"""`vidrt eval FOLDER`: how well a pocket bundle does what its prompts say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

import vidrt
from vidrt.engine.errors import InvalidArgument
from vidrt.export.pocket.checkpoint import bundle_networks
from vidrt.export.pocket.config import PocketConfig

from .autoencoder import reconstruct
from .evaluate import Evaluated, Setting, evaluate
from .memorisation import Floats, coarse, nearness
from .probe import Frames, Probe, ProbeOptions, train_probe
from .report import Evaluation, rows, write_report

OTHER_SETTINGS = ((33, 64), (65, 64), (17, 96))
"""Lengths and sizes that are looked at besides the default, with a fifth of the prompts each."""

RECONSTRUCTED_CLIPS = 64
TRAINING_CLIPS = 8192
"""As many as training draws by default."""

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def settings(prompts: int) -> list[Setting]:
    """The bundle's default first, then the others."""
    return [Setting(17, 64, prompts), *(Setting(frames, side, max(1, prompts // 5)) for frames, side in OTHER_SETTINGS)]


@app.command()
def evaluate_bundle(
    bundle: Annotated[Path, typer.Argument(help="A pocket bundle.")],
    out: Annotated[Path, typer.Option("--output", "-o", help="Folder for the report.")] = Path("evaluation"),
    prompts: Annotated[int, typer.Option(help="Prompts at the default size and length.", min=1)] = 1000,
    seed: Annotated[int, typer.Option(help="Seed of prompts and clips.", min=0, max=10**6)] = 0,
    probe_steps: Annotated[int, typer.Option(help="Training steps of the probe.", min=1)] = 1000,
    training_seed: Annotated[
        int, typer.Option(help="Seed of the training run, whose clips are drawn again to look for copies.", min=0)
    ] = 1,
    threads: Annotated[int | None, typer.Option(help="Compute threads. (default: one per physical core)")] = None,
) -> None:
    """Train a probe on real clips, generate clips for many prompts, and report how many show what was asked for."""
    pipe = vidrt.TextToVideoPipeline(bundle, threads=threads)
    family = pipe.bundle.manifest.family
    if family != "pocket":
        raise InvalidArgument(
            f"{bundle} is of the family {family}; only pocket can be evaluated, whose clips can be drawn."
        )
    networks = bundle_networks(bundle, PocketConfig())
    if threads is not None:
        torch.set_num_threads(threads)
    out.mkdir(parents=True, exist_ok=True)
    columns = (TextColumn("{task.description:<28}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        probe = _trained(progress, ProbeOptions(steps=probe_steps))
        default, *rest = settings(prompts)
        vectors: list[Floats] = []
        results = [_evaluated(progress, pipe, probe, default, seed, lambda clip: vectors.append(coarse(clip)))]
        results += [_evaluated(progress, pipe, probe, setting, seed) for setting in rest]
        others = progress.add_task("autoencoder and copies", total=len(results) + 1)
        reconstructions = {}
        for setting in (result.setting for result in results):
            reconstructions[setting.label] = reconstruct(networks, setting.size, RECONSTRUCTED_CLIPS, seed)
            progress.advance(others)
        near = nearness(vectors, default.size, TRAINING_CLIPS, training_seed)
        progress.advance(others)
    command = f"vidrt eval {bundle} --prompts {prompts} --seed {seed} --probe-steps {probe_steps}"
    evaluation = Evaluation(pipe.bundle.manifest.name, command, results, reconstructions, near)
    page = write_report(out, evaluation)
    for name, value in rows(results[0].judged).items():
        typer.echo(f"{name:<20} {value}")
    typer.echo(f"{'autoencoder':<20} {reconstructions[default.label]}")
    typer.echo(f"wrote {page}")


def _trained(progress: Progress, options: ProbeOptions) -> Probe:
    task = progress.add_task("training the probe", total=options.steps)
    return train_probe(options, lambda step: progress.update(task, completed=step))


def _evaluated(
    progress: Progress,
    pipe: vidrt.TextToVideoPipeline,
    probe: Probe,
    setting: Setting,
    seed: int,
    on_clip: Callable[[Frames], object] = lambda _: None,
) -> Evaluated:
    task = progress.add_task(setting.label, total=setting.prompts)

    def done(clip: Frames) -> None:
        on_clip(clip)
        progress.advance(task)

    return evaluate(pipe, probe, setting, seed, done)


def main(arguments: list[str]) -> int:
    """Run the command for the command line `vidrt`, which reports errors.

    Args:
        arguments: Those after `vidrt eval`.

    Returns:
        The exit code.
    """
    result = app(args=arguments, prog_name="vidrt eval", standalone_mode=False)
    return result if isinstance(result, int) else 0
