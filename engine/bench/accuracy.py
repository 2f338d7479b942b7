"""How often clips show what prompts say: a probe is trained, then looks at every case's clips.

Both happen in processes of their own, of a module of the exporter's side: the engine never imports torch.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import vidrt
from vidrt.engine.bench.files import checked
from vidrt.engine.bench.process import run_process
from vidrt.engine.bench.results import JudgedClips, ScenarioResult
from vidrt.engine.bench.scenario import Case, PromptAccuracy, Scenario
from vidrt.engine.errors import BackendError, InvalidArgument
from vidrt.engine.events import CancelToken

WORKER = "vidrt.export.pocket.evaluation.bench_worker"
FEWEST_FRAMES = 3
"""With fewer there is no motion to speak of."""


def check_judged(scenario: Scenario, bundle: vidrt.Bundle) -> None:
    """Find out before anything runs whether the probe can judge a scenario's clips.

    Raises:
        InvalidArgument: The bundle is of another family than pocket, or a case's clips are not such as are drawn.
    """
    manifest = bundle.manifest
    if manifest.family != "pocket":
        raise InvalidArgument(
            f"{scenario.name}: prompt_accuracy is of bundles of the family pocket alone, whose clips can be drawn; "
            f"{bundle.path} is of the family {manifest.family}. Leave it out, or give a pocket bundle."
        )
    defaults = manifest.defaults
    for case in scenario.judged:
        height, width = case.height or defaults.height, case.width or defaults.width
        frames = case.num_frames or defaults.num_frames
        if height != width or frames < FEWEST_FRAMES:
            raise InvalidArgument(
                f"{scenario.name}, '{case.label}': prompt_accuracy is of square clips of {FEWEST_FRAMES} or more "
                f"frames, got {height} x {width} pixels and {frames} frames. Take another size, or leave it out."
            )


class Judge:
    """Trains probes, each when it is first needed, and has them look at cases.

    Args:
        folder: Where the probes of a bench are kept.
        cancel: Ends what goes on with Cancelled.
    """

    def __init__(self, folder: Path, cancel: CancelToken) -> None:
        self._folder = folder
        self._cancel = cancel
        self._real: dict[PromptAccuracy, JudgedClips] = {}

    def train(self, wanted: PromptAccuracy, told: Callable[[str], object]) -> JudgedClips:
        """Train the probe that is wanted, where this bench has none yet; returns what it sees in real clips.

        Raises:
            BackendError: The process failed.
            InvalidArgument: It gave no answer that is one.
            Cancelled: The token asked for it.
        """
        if wanted not in self._real:
            request = {**wanted.model_dump(), "probe": str(self._probe(wanted))}
            self._real[wanted] = self._run("the probe, step", wanted.probe_steps, request, told)
        return self._real[wanted]

    def judge(self, wanted: PromptAccuracy, bundle: Path, case: Case, told: Callable[[str], object]) -> JudgedClips:
        """Generate the prompts with a case's settings and judge the clips with the trained probe; raises as train()."""
        request = {
            **wanted.model_dump(),
            "probe": str(self._probe(wanted)),
            "bundle": str(bundle),
            "options": case.options(),
        }
        return self._run(f"{case.label}, prompt", wanted.prompts, request, told)

    def _probe(self, wanted: PromptAccuracy) -> Path:
        return self._folder / f"probe-{wanted.prompts}-{wanted.seed}-{wanted.probe_steps}.pt"

    def _run(self, what: str, of: int, request: dict[str, Any], told: Callable[[str], object]) -> JudgedClips:
        def on_line(line: str) -> None:
            if line.isdigit():  # the last line is the answer
                told(f"{what} {line} of {of}")

        told(f"{what} 0 of {of}")
        finished = run_process(["-m", WORKER, json.dumps(request)], self._folder, self._cancel, on_line=on_line)
        return checked(JudgedClips, finished.answer, f"the answer of '{what}'")


def judge_cases(
    result: ScenarioResult, bundle: Path, judge: Judge, told: Callable[[int, str], object]
) -> Iterator[ScenarioResult]:
    """Judge what was timed; gives the result anew after every case, and nothing where nothing is to be judged.

    Args:
        result: Of all timed runs, not complete.
        bundle: The folder.
        judge: Trains the probe, if it has not yet, and judges.
        told: What goes on, with how many parts are done: the probe is the first.

    Raises:
        Cancelled: The judge's token asked for it.
    """
    wanted = result.scenario.prompt_accuracy
    cases = {case.label: case for case in result.cases}
    failures = dict(result.failures)
    chosen = [case for case in result.scenario.judged if case.label in cases]
    if wanted is None or not chosen:
        return
    try:
        real = judge.train(wanted, partial(told, 0))
    except (BackendError, InvalidArgument) as error:  # the latter for an answer that is none
        yield result.model_copy(update={"failures": {**failures, "prompt_accuracy": str(error)}})
        return
    for done, case in enumerate(chosen, 1):
        try:
            seen = judge.judge(wanted, bundle, case, partial(told, done))
        except (BackendError, InvalidArgument) as error:
            failures[case.label] = f"its clips were not judged: {error}"
        else:
            cases[case.label] = cases[case.label].model_copy(update={"prompt_accuracy": seen})
        complete = done == len(chosen) and not failures
        update = {"real_clips": real, "failures": dict(failures), "cases": tuple(cases.values()), "complete": complete}
        yield result.model_copy(update=update)
