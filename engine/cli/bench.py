"""`vidrt bench`: measure scenarios, show results, compare two of them."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn

from vidrt.engine.bundle import default_bundle
from vidrt.engine.cli import arguments as arg
from vidrt.engine.cli.build_progress import missing_engines_built
from vidrt.engine.cli.case_settings import takes_case_settings
from vidrt.engine.cli.exit_codes import BACKEND, CANCELLED
from vidrt.engine.cli.interrupt import cancel_on_interrupt
from vidrt.engine.cli.progress import ProgressLines
from vidrt.engine.cli.text import print_json
from vidrt.engine.errors import Cancelled, InvalidArgument

# vidrt.engine.bench is imported by the commands: pydantic takes a tenth of a second, which the others need not wait.
if TYPE_CHECKING:
    from vidrt.engine.bench.running import Job
    from vidrt.engine.bench.scenario import Scenario

app = typer.Typer(
    help="Measure speed, memory, likeness of frames and what clips show; compare results.", no_args_is_help=True
)

_HOW = "Measuring"
Remark = Annotated[str, typer.Option(help="What the reader of the figures must know.", rich_help_panel=_HOW)]
ResultFiles = Annotated[list[Path], typer.Argument(help="Results of `vidrt bench run`.", show_default=False)]


def _count(help_text: str) -> Any:
    return typer.Option(help=f"{help_text} (default: the scenario's)", rich_help_panel=_HOW)


@app.command()
@takes_case_settings
def run(
    scenarios: Annotated[
        list[Path] | None, typer.Argument(help="Scenario files. (default: one case from the options)")
    ] = None,
    bundle: arg.BundleOption = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Where the results go.")] = Path("bench.json"),
    repetitions: Annotated[int | None, _count("Measured runs of a case's process.")] = None,
    warmup: Annotated[int | None, _count("Runs before them that do not count.")] = None,
    rounds: Annotated[int | None, _count("How often the cases take turns.")] = None,
    prompts: Annotated[
        int | None,
        _count(
            "So many prompts are generated afterwards, and a probe says how often the clips show them; of pocket "
            "bundles, with the extra `export`."
        ),
    ] = None,
    compare: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PEER",
            help="Measure this beside the options' case; may be given again: pytorch and diffusers (from a source "
            "tree), or stock-ort: the same bundle's variant without vidrt's operators, run by vidrt.",
            rich_help_panel=_HOW,
        ),
    ] = None,
    remark: Remark = "",
    *,
    settings: dict[str, Any],
    build_engines: arg.BuildEngines = False,
    json: arg.Json = False,
    quiet: arg.Quiet = False,
) -> None:
    """Run scenarios, or one case from the options, and write the results after every case.

    Each case has a process of its own, and cases take turns in rounds. Ctrl-C keeps what is finished. A case that fails
    is told at the end, with exit code 4, and the others are kept.
    """
    from vidrt.engine.bench.checking import check_jobs
    from vidrt.engine.bench.report import render
    from vidrt.engine.bench.running import Watch, run_jobs

    counts = {"repetitions": repetitions, "warmup": warmup, "rounds": rounds}
    wanted: dict[str, Any] = {name: value for name, value in counts.items() if value is not None}
    if prompts is not None:
        wanted["prompt_accuracy"] = {"prompts": prompts}
    jobs = _jobs(scenarios or [], bundle, settings, wanted, tuple(compare or ()))
    with missing_engines_built(build_engines, silent=json or quiet) as on_build:
        check_jobs(jobs, output, on_build)
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=30), MofNCompleteColumn(), TimeElapsedColumn(),
               TextColumn("{task.fields[case]}", markup=False))  # fmt: skip
    results = None
    finished = 0
    with ProgressLines(*columns, silent=json or quiet) as progress, cancel_on_interrupt() as token:

        def on_case(scenario: str, done: int, total: int, case: str) -> None:
            nonlocal finished
            finished += done > 0
            progress.update(scenario, done=done, total=total, case=case)

        with contextlib.suppress(Cancelled):
            results = run_jobs(jobs, output, remark, Watch(on_case, token))
    if results is None:
        kept = f"what was finished is kept in {output}" if finished else "no case was finished; nothing was written"
        print(f"cancelled; {kept}.", file=sys.stderr)
        raise typer.Exit(CANCELLED)
    if json:
        print_json(results.model_dump(mode="json"))
    else:
        print(render([results]))
        print(f"wrote {output}")
    failures = [(one.scenario.name, *failure) for one in results.scenarios for failure in one.failures.items()]
    for scenario, case, why in failures:
        print(f"error: {scenario}, '{case}' failed: {why}", file=sys.stderr)
    if failures:
        raise typer.Exit(BACKEND)


@app.command()
@takes_case_settings
def layers(
    bundle: arg.BundleOption = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Where the results go.")] = Path("layers.json"),
    repetitions: Annotated[int, typer.Option(min=1, max=100_000, help="Generations.", rich_help_panel=_HOW)] = 3,
    top: Annotated[int, typer.Option(min=1, help="Layers of a module that are shown.", rich_help_panel=_HOW)] = 10,
    *,
    settings: dict[str, Any],
    build_engines: arg.BuildEngines = False,
    json: arg.Json = False,
) -> None:
    """Time every layer of a few generations: medians and shares of each module's time.

    Slower than without: TensorRT waits for every run and replays none as a CUDA graph, ONNX Runtime writes events.
    """
    from vidrt.engine.bench.files import check_writable
    from vidrt.engine.bench.layers import open_for_profile, profile_layers, render_layers, write_layers

    check_writable(output)
    with missing_engines_built(build_engines, silent=json) as on_build:
        pipe = open_for_profile(default_bundle() if bundle is None else bundle, settings, on_build)
    with cancel_on_interrupt() as token:
        result = profile_layers(pipe, settings, repetitions, token)
    write_layers(output, result)
    if json:
        print_json(result.model_dump(mode="json"))
    else:
        print(render_layers(result, top))
        print(f"wrote {output}")


def _jobs(
    paths: list[Path], bundle: Path | None, settings: dict[str, Any], counts: dict[str, Any], compare: tuple[str, ...]
) -> list[Job]:
    from vidrt.engine.bench.adhoc import adhoc_scenario
    from vidrt.engine.bench.running import Job
    from vidrt.engine.bench.scenario import read_scenario

    if not paths:
        folder = default_bundle() if bundle is None else bundle
        return [Job(adhoc_scenario(folder, settings, {"repetitions": 5, **counts}, compare), folder)]
    if settings or compare:
        option = next(iter(settings), "compare").replace("_", "-")
        raise InvalidArgument(f"--{option} is for a bench without scenario files, which say all of a case themselves.")
    return [_job(path, read_scenario(path), bundle, counts) for path in paths]


def _job(path: Path, scenario: Scenario, bundle: Path | None, counts: dict[str, Any]) -> Job:
    from vidrt.engine.bench.files import checked
    from vidrt.engine.bench.running import Job
    from vidrt.engine.bench.scenario import MadeBundle, Scenario

    if counts:
        asked = scenario.prompt_accuracy
        if asked is not None and "prompt_accuracy" in counts:
            counts = {**counts, "prompt_accuracy": {**asked.model_dump(), **counts["prompt_accuracy"]}}
        scenario = checked(Scenario, {**scenario.model_dump(mode="json"), **counts}, "the command's options")
    how = scenario.bundle
    if isinstance(how, MadeBundle) and how.make != "decode-only":
        if bundle is not None:
            raise InvalidArgument(f"{path} makes a bundle of its own ('{how.make}'); leave --bundle out.")
        return Job(scenario, path.parent)
    named = path.parent / how if isinstance(how, str) else None
    return Job(scenario, bundle or named or default_bundle())


@app.command()
def report(
    files: ResultFiles,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A Markdown file. (default: stdout)")] = None,
    plots: Annotated[Path | None, typer.Option(help="Draw PNGs into this folder (needs the extra `plots`).")] = None,
    title: Annotated[str, typer.Option(help="The report's first lines.")] = "# Benchmark results",
) -> None:
    """Show results as Markdown tables and plots."""
    from vidrt.engine.bench.plots import draw
    from vidrt.engine.bench.report import render
    from vidrt.engine.bench.results import read_results
    from vidrt.engine.writers.staging import write_whole

    results = [read_results(path) for path in files]
    text = render(results, title)
    drawn = draw(results, plots) if plots is not None else []
    if output is None:
        print(text)
    else:
        write_whole(output, text.encode())
        drawn.append(output)
    for path in drawn:
        print(f"wrote {path}", file=sys.stderr)


@app.command()
def diff(
    a: Annotated[Path, typer.Argument(help="Results before.")],
    b: Annotated[Path, typer.Argument(help="Results after.")],
    json: arg.Json = False,
) -> None:
    """Say what changed from A to B beyond noise: ratios of medians with 95 % intervals of the bootstrap."""
    from vidrt.engine.bench.difference import diff_results
    from vidrt.engine.bench.report import render_difference
    from vidrt.engine.bench.results import read_results

    difference = diff_results(read_results(a), read_results(b))
    if json:
        print_json(difference.to_dict())
    else:
        print(render_difference(difference), end="")
