"""Which scheduler needs the fewest steps: `python -m vidrt.export.pocket.evaluation.few_steps BUNDLE`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.progress import track

import vidrt
from vidrt.export.pocket.told_errors import told_errors

from .evaluate import Judged, Setting, judge_generated
from .probe import ProbeOptions, train_probe
from .report import rows

SCHEDULERS = ("euler", "unipc", "dpmpp_2m")
STEPS = (4, 8, 20)
PAGE = "STEPS.md"


def settings(prompts: int) -> list[Setting]:
    """Every scheduler at every number of steps, at the default size and length."""
    return [Setting(17, 64, prompts, steps, scheduler) for steps in STEPS for scheduler in SCHEDULERS]


def page(results: list[tuple[Setting, list[Judged]]], command: str) -> str:
    """The results as Markdown, a line each."""
    reported = [(setting, rows(judged)) for setting, judged in results]
    names = list(reported[0][1])
    lines = [
        "# Pocket in fewer steps",
        "",
        f"Made by `{command}`; do not edit. The same {results[0][0].prompts} prompts and seeds in every line, at the "
        "default size, length and guidance; as in [EVALUATION.md](EVALUATION.md).",
        "",
        "| steps | scheduler | " + " | ".join(names) + " |",
        "|---" * (len(names) + 2) + "|",
    ]
    lines += [f"| {one.steps} | {one.scheduler} | " + " | ".join(row.values()) + " |" for one, row in reported]
    return "\n".join([*lines, ""])


def run(
    bundle: Annotated[Path, typer.Argument(help="A pocket bundle.")],
    out: Annotated[Path, typer.Option("--output", "-o", help=f"Folder for {PAGE}.")] = Path("evaluation"),
    prompts: Annotated[int, typer.Option(help="Prompts a line.", min=1)] = 200,
    seed: Annotated[int, typer.Option(help="Seed of prompts and clips.", min=0, max=10**6)] = 0,
    probe_steps: Annotated[int, typer.Option(help="Training steps of the probe.", min=1)] = 1000,
    threads: Annotated[int | None, typer.Option(help="Compute threads. (default: one per physical core)")] = None,
) -> None:
    """Generate the same prompts with 4, 8 and 20 steps of each scheduler and count what is right."""
    if threads is not None:
        torch.set_num_threads(threads)
    console = Console(stderr=True)
    with told_errors():
        pipe = vidrt.TextToVideoPipeline(bundle, threads=threads)
        out.mkdir(parents=True, exist_ok=True)
        console.print("training the probe")
        probe = train_probe(ProbeOptions(steps=probe_steps))
        results = []
        for setting in settings(prompts):
            clips = judge_generated(pipe, setting, seed, probe)
            what = f"{setting.steps} steps of {setting.scheduler}"
            results.append((setting, [one for one, _ in track(clips, what, prompts, console=console)]))
    command = (
        f"python -m vidrt.export.pocket.evaluation.few_steps {bundle} --prompts {prompts} --seed {seed} "
        f"--probe-steps {probe_steps}"
    )
    temporary = out / f".{PAGE}"
    temporary.write_text(page(results, command), encoding="utf-8")
    temporary.replace(out / PAGE)
    typer.echo(f"wrote {out / PAGE}")


if __name__ == "__main__":
    typer.run(run)
