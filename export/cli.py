"""`vidrt export FAMILY CHECKPOINT BUNDLE`."""

from __future__ import annotations

import dataclasses
import json
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from vidrt.engine.errors import Cancelled, InvalidArgument
from vidrt.engine.precision import PRECISIONS, parse_precisions
from vidrt.export import exporter
from vidrt.export.depthwise.report import Report
from vidrt.export.options import ExportOptions
from vidrt.export.registry import ModelSource, family_names, find_family
from vidrt.export.sampling import Sampling, parse_timesteps, with_sampling
from vidrt.export.spec import INT8, BundleSpec


class _Storage(str, Enum):
    FP32 = "fp32"
    FP16 = "fp16"
    BF16 = "bf16"


class _Scheduler(str, Enum):
    EULER = "euler"
    LCM = "lcm"


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def export(
    family: Annotated[str, typer.Argument(help=f"The kind of model: {', '.join(family_names())}.")],
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="CHECKPOINT BUNDLE",
            help="The trained weights, a file or folder in the family's own format; and the bundle's folder, which the "
            "export makes. With --seed the bundle's folder alone.",
        ),
    ],
    seed: Annotated[int | None, typer.Option(help="Make random weights from this seed instead.", min=0)] = None,
    preset: Annotated[
        str | None, typer.Option(help="The family's configuration. (default: what the checkpoint fits, or the first)")
    ] = None,
    precision: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[MODULE=]PRECISION",
            help="Also write graphs that compute in fp16 or bf16, for TensorRT: fp16, or fp16,bf16, or denoiser=fp16; "
            "or with weights of eight bits: text_encoder=int8; may be given again. (default: fp32 alone)",
        ),
    ] = None,
    storage: Annotated[
        _Storage | None, typer.Option(help="What the weights are stored in. (default: --dtype, or else fp16)")
    ] = None,
    dtype: Annotated[
        _Storage | None,
        typer.Option(
            help="Short for --storage and --precision of the same: weights as PyTorch loads with this torch_dtype, and "
            "graphs that compute in it on a GPU."
        ),
    ] = None,
    weights_variant: Annotated[
        str | None,
        typer.Option(help="A word in the names of the checkpoint folder's weights, as fp16 in model.fp16.safetensors."),
    ] = None,
    scheduler: Annotated[
        _Scheduler | None,
        typer.Option(
            help="The bundle's, for models of flow matching; lcm for checkpoints distilled to a few steps with fresh "
            "noise. (default: the checkpoint's)"
        ),
    ] = None,
    timesteps: Annotated[
        str | None,
        typer.Option(help="Those that the checkpoint was distilled for, as 1000,757,522; with euler or lcm."),
    ] = None,
    default_steps: Annotated[
        int | None,
        typer.Option(
            help="Denoising steps of a generation that does not say, for checkpoints distilled to a few. "
            "(default: the family's)",
            min=1,
        ),
    ] = None,
    default_guidance_scale: Annotated[
        float | None,
        typer.Option(
            help="The same for the guidance scale; 1 for checkpoints distilled to need none. (default: the family's)",
            min=0.0,
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a bundle that is there.")] = False,
    custom_ops: Annotated[
        bool, typer.Option("--custom-ops/--no-custom-ops", help="Also write variants with vidrt's own operators.")
    ] = True,
    separable: Annotated[
        bool,
        typer.Option("--separable/--no-separable", help="Join depthwise and 1x1x1 convolutions into one operator."),
    ] = True,
    int8_alone: Annotated[
        bool, typer.Option("--int8-alone", help="Modules with int8 get no other graphs, and store no other weights.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Export a PyTorch model to a bundle, compare every graph with PyTorch, and open the result."""
    checkpoint, folder = _source_and_target(paths, seed)
    wishes = parse_precisions([*([] if dtype is None else [dtype.value]), *(precision or ())], (*PRECISIONS, INT8))
    sampling = Sampling(
        None if scheduler is None else scheduler.value,
        () if timesteps is None else parse_timesteps(timesteps),
        default_steps,
        default_guidance_scale,
    )
    found = find_family(family)
    found.check_preset(preset)
    spec = found.load(ModelSource(checkpoint, seed or 0, preset, weights_variant))
    spec = with_sampling(spec, sampling)
    stored = storage or dtype or _Storage.FP16
    options = ExportOptions(wishes, stored.value, overwrite, custom_ops, separable, int8_alone)
    console = Console(stderr=True)
    columns = (TextColumn("{task.description:<28}"), BarColumn(bar_width=30), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=as_json or not console.is_terminal) as progress:
        task = progress.add_task("loading")

        def show(what: str, done: int, total: int) -> None:
            progress.update(task, description=what, completed=done, total=total)

        summary = _export(spec, folder, options, show)
    if as_json:
        print(json.dumps(dataclasses.asdict(summary), default=str))
    else:
        _print_summary(summary)


def _export(
    spec: BundleSpec, folder: Path, options: ExportOptions, on_progress: exporter.Progress
) -> exporter.ExportSummary:
    try:
        return exporter.export_bundle(spec, folder, options, on_progress)
    except KeyboardInterrupt as interrupt:
        notes = getattr(interrupt, "__notes__", ())
        raise Cancelled(" ".join(("the export was interrupted.", *notes))) from interrupt


def _source_and_target(paths: list[Path], seed: int | None) -> tuple[Path | None, Path]:
    """The checkpoint, unless weights are random, and the bundle's folder."""
    expected = 2 if seed is None else 1
    if len(paths) != expected:
        what = "CHECKPOINT and BUNDLE, or --seed N for random weights and BUNDLE" if seed is None else "BUNDLE alone"
        raise InvalidArgument(f"got {len(paths)} paths ({', '.join(map(str, paths))}), expected {what}.")
    if seed is not None:
        return None, paths[0]
    if not paths[0].exists():
        raise InvalidArgument(f"the checkpoint {paths[0]} does not exist.")
    return paths[0], paths[1]


def _print_summary(summary: exporter.ExportSummary) -> None:
    table = Table("module", "variant", "nodes", "graph", "difference from PyTorch", "allowed", "cases", box=None)
    for graph in summary.graphs:
        measured = graph.parity
        table.add_row(
            graph.module,
            graph.variant,
            str(graph.nodes),
            f"{graph.bytes / 1e3:.0f} kB",
            f"{measured.max_abs:.2g}",
            f"{measured.tolerance:.2g}",
            str(measured.cases),
        )
    console = Console(highlight=False, markup=False, soft_wrap=True)
    console.print(table)
    for module, report in summary.rewrites.items():
        _print_rewrites(console, module, report)
    if summary.resumed:
        console.print(f"{', '.join(summary.resumed)}: finished by an interrupted export before this one")
    console.print(f"{summary.path}: {summary.weight_bytes / 1e6:.1f} MB of weights")


def _print_rewrites(console: Console, module: str, report: Report) -> None:
    """How many convolutions became operators of vidrt, and why each of the others did not."""
    total = len(report.rewritten) + len(report.skipped)
    if total == 0:
        return
    made = ", ".join(f"{count} {operator}" for operator, count in report.counts().items()) or "none rewritten"
    console.print(f"{module}: {made}, of {total} convolutions in groups")
    for skipped in report.skipped:
        console.print(f"  {skipped.node} stays: {skipped.reason}")


def main(arguments: list[str]) -> int:
    """Run the command for the command line `vidrt`, which reports errors.

    Args:
        arguments: Those after `vidrt export`.

    Returns:
        The exit code.
    """
    result = app(args=arguments, prog_name="vidrt export", standalone_mode=False)
    return result if isinstance(result, int) else 0
