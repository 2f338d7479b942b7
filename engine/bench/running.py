"""Run scenarios: cases in turns, each in a process of its own, results written after every one."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

import vidrt
from vidrt.engine.bench.accuracy import Judge, judge_cases
from vidrt.engine.bench.files import checked
from vidrt.engine.bench.machine import these_versions, this_machine
from vidrt.engine.bench.process import Finished, run_process
from vidrt.engine.bench.results import (
    CaseResult,
    Memory,
    Results,
    Run,
    ScenarioResult,
    statistics_of,
    write_results,
)
from vidrt.engine.bench.scenario import Case, MadeBundle, Scenario
from vidrt.engine.bench.source_tree import script
from vidrt.engine.errors import BackendError, InvalidArgument
from vidrt.engine.events import CancelToken


@dataclass(frozen=True)
class Job:
    """A scenario with the bundle it runs: a folder, or how to make one."""

    scenario: Scenario
    bundle: Path
    """Of a bundle to be made, what it is made from."""


@dataclass(frozen=True)
class Watch:
    """What goes on, for people, and the way to stop it.

    Attributes:
        on_case: Told (scenario, finished, of, case) before each case and, with an empty case, at the scenario's end.
        cancel: Ends the bench.
    """

    on_case: Callable[[str, int, int, str], object] = lambda *_: None
    cancel: CancelToken = field(default_factory=CancelToken)


def run_jobs(jobs: Sequence[Job], target: Path, remark: str = "", watch: Watch | None = None) -> Results:
    """Run all cases of all scenarios; the file holds what is finished after every case.

    A case that fails is left out of later rounds and the others go on. Clips are judged after all timed runs.

    Raises:
        Cancelled: The watch's token asked for it; the file holds what was finished.
        IoError: The results cannot be written.
    """
    watch = Watch() if watch is None else watch
    done: list[ScenarioResult] = []
    with tempfile.TemporaryDirectory(prefix="vidrt-bench-") as scratch:
        judge = Judge(Path(scratch), watch.cancel)
        for index, job in enumerate(jobs):
            folder = Path(scratch) / str(index)
            folder.mkdir()
            finished = list(done)

            def save(result: ScenarioResult, before: list[ScenarioResult] = finished) -> None:
                write_results(target, Results(schema_version=2, scenarios=(*before, result)))

            result = _run_scenario(job, remark, folder, watch, save)
            for judged in judge_cases(result, job.bundle, judge, partial(_tell_judging, watch, job.scenario)):
                result = judged
                save(result)
            watch.on_case(job.scenario.name, _parts(job.scenario), _parts(job.scenario), "")
            done.append(result)
    return Results(schema_version=2, scenarios=tuple(done))


def _timed_runs(scenario: Scenario) -> int:
    return scenario.rounds * len(scenario.cases)


def _parts(scenario: Scenario) -> int:
    """Timed runs and, where clips are judged, the probe and the cases."""
    return _timed_runs(scenario) + (len(scenario.judged) + 1 if scenario.judged else 0)


def _tell_judging(watch: Watch, scenario: Scenario, done: int, what: str) -> None:
    watch.on_case(scenario.name, _timed_runs(scenario) + done, _parts(scenario), what)


def _run_scenario(
    job: Job, remark: str, scratch: Path, watch: Watch, save: Callable[[ScenarioResult], None]
) -> ScenarioResult:
    scenario = job.scenario
    total = _parts(scenario)
    cases: dict[str, CaseResult] = {}
    failures: dict[str, str] = {}
    machine, versions = this_machine(), these_versions()

    def result(*, complete: bool, bundle: Path) -> ScenarioResult:
        return ScenarioResult(
            scenario=scenario,
            machine=machine,
            versions=versions,
            remark=remark,
            bundle=bundle.resolve().name,
            complete=complete and not failures,
            failures=failures,
            cases=tuple(cases.values()),
        )

    watch.on_case(scenario.name, 0, total, "bundle")
    bundle = job.bundle
    try:
        bundle = _made(scenario.bundle, job.bundle, scratch, watch.cancel)
    except BackendError as error:
        failures["bundle"] = str(error)
        save(result(complete=False, bundle=bundle))
        return result(complete=False, bundle=bundle)
    for turn in range(scenario.rounds):
        for index, case in enumerate(scenario.cases):
            if case.label in failures:
                continue
            number = turn * len(scenario.cases) + index
            watch.on_case(scenario.name, number, total, case.label)
            try:
                new = _run_case(scenario, case, bundle, scratch, turn + 1, watch.cancel)
            except (BackendError, InvalidArgument) as error:  # the latter for an answer that is none
                failures[case.label] = str(error)
            else:
                cases[case.label] = together(cases[case.label], new) if case.label in cases else new
            save(result(complete=number + 1 == total, bundle=bundle))
    return result(complete=not scenario.judged, bundle=bundle)


def _made(how: MadeBundle | str | None, source: Path, scratch: Path, cancel: CancelToken) -> Path:
    if not isinstance(how, MadeBundle):
        return source
    request = {**how.model_dump(exclude_none=True), "source": str(source.resolve())}
    folder = scratch / how.make
    command = [str(script("make_bundle.py")), json.dumps(request), str(folder)]
    return Path(run_process(command, scratch, cancel).answer["bundle"])


def _run_case(
    scenario: Scenario, case: Case, bundle: Path, scratch: Path, turn: int, cancel: CancelToken
) -> CaseResult:
    latents = scratch / "latents.npy" if scenario.compares or case.latents is not None else None
    if latents is not None:
        _write_latents(bundle, case, latents)
    numbers = {one.label: index for index, one in enumerate(scenario.cases)}
    frames = scratch / f"frames-{numbers[case.label]}.npy" if scenario.compares else None
    request = {
        "bundle": str(bundle),
        "pipelines": case.pipelines or 1,
        "warmup": scenario.warmup,
        "repetitions": scenario.repetitions,
        "decode": case.latents is not None,
        "options": case.options(),
        "form": case.form,
        "latents": latents and str(latents),
        "frames": frames and str(frames),
    }
    module = ["-m", "vidrt.engine.bench.worker"]
    command = module if case.peer is None else [str(script(f"peers/with_{case.peer}.py"))]
    finished = run_process([*command, json.dumps(request)], scratch, cancel)
    psnr = None
    if frames is not None and frames != (reference := scratch / "frames-0.npy") and reference.is_file():
        psnr = psnr_db(frames, reference)
    return case_result(case, finished, turn, psnr)


def _write_latents(bundle: Path, case: Case, path: Path) -> None:
    """Write normal noise (C,T,h,w) float32 for a case's size."""
    pipe = vidrt.TextToVideoPipeline(bundle)
    size = case.latents
    if size is None:
        plan = pipe.plan(vidrt.GenerateOptions(num_frames=case.num_frames, height=case.height, width=case.width))
        size = (plan.latent_frames, plan.latent_height, plan.latent_width)
    shape = (pipe.bundle.manifest.vae.latent_channels, *size)
    np.save(path, np.random.default_rng(0).standard_normal(shape, dtype=np.float32))


def case_result(case: Case, finished: Finished, turn: int, psnr: float | str | None) -> CaseResult:
    """What a case's process said and held, as one round of results. Raises InvalidArgument for a malformed answer."""
    answer = finished.answer
    where = f"the answer of '{case.label}'"
    runs = [checked(Run, {"round": turn, **run}, where) for run in answer["runs"]]
    memory = {"arena_mib": None, "plan_mib": None, **answer["memory"]}
    memory |= {"peak_anonymous_mib": finished.peak_anonymous_mib, "samples": finished.thinned()}
    value = {
        "label": case.label,
        "settings": case.model_dump(mode="json"),
        "backend": answer["backend"],
        "memory": memory,
        "psnr_db": psnr,
        "statistics": {metric: one.model_dump() for metric, one in statistics_of(runs).items()},
        "runs": [run.model_dump() for run in runs],
    }
    return checked(CaseResult, value, where)


def psnr_db(path: Path, reference: Path) -> float | str:
    """Of one clip (F,H,W,3) uint8 against another, over all pixels; "identical" where they are equal.

    Raises:
        BackendError: The clips are of different sizes.
    """
    clip, other = np.load(path), np.load(reference)
    if clip.shape != other.shape:
        raise BackendError(
            f"frames are {clip.shape} and those of the first case {other.shape}; only equal sizes compare"
        )
    error = np.mean((clip.astype(np.float64) - other) ** 2)
    return "identical" if error == 0 else float(10 * np.log10(255**2 / error))


def together(earlier: CaseResult, new: CaseResult) -> CaseResult:
    """Two rounds of a case as one: the runs of both, the higher peaks, the rest of the later."""
    values = new.memory.model_dump()
    for name in ("imports_mib", "peak_rss_mib", "peak_anonymous_mib"):
        before, after = getattr(earlier.memory, name), values[name]
        values[name] = max(before, after) if None not in (before, after) else before or after
    runs: tuple[Run, ...] = earlier.runs + new.runs
    return new.model_copy(update={"memory": Memory(**values), "runs": runs, "statistics": statistics_of(runs)})
