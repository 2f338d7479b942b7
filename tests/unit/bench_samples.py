"""Results made by hand, for tests that measure nothing."""

from __future__ import annotations

from collections.abc import Sequence

from vidrt.engine.bench.results import (
    CaseResult,
    JudgedClips,
    Machine,
    Memory,
    Results,
    Run,
    ScenarioResult,
    Versions,
    statistics_of,
)
from vidrt.engine.bench.scenario import Case, PromptAccuracy, Scenario
from vidrt.engine.bench.share import Share

MACHINE = Machine(processor="a processor", architecture="x86_64", cores=2, memory_mib=1.0, system="Linux", gpu=None)
VERSIONS = Versions(vidrt="1", onnxruntime="1.32.0", python="3.11", commit=None, packages={})


def case(totals: Sequence[float], rounds: int = 1, **settings: object) -> CaseResult:
    """A case whose runs took so long, dealt to rounds in order; the denoiser took half of each."""
    count = len(totals) // rounds
    runs = tuple(
        Run(
            round=index // count + 1,
            encode_ms=0.0,
            denoise_ms=total / 2,
            decode_ms=None,
            total_ms=total,
            first_frame_ms=None,
            last_step_to_first_frame_ms=None,
            chunk_ms=None,
            host_share=0.25,
        )
        for index, total in enumerate(totals)
    )
    asked = Case(**{"label": "a case", **settings})
    memory = Memory(imports_mib=10.0, peak_rss_mib=30.0, peak_anonymous_mib=None, arena_mib=2.0, plan_mib=5.0)
    return CaseResult(
        label=asked.label,
        settings=asked,
        backend="onnxruntime 1.32.0",
        memory=memory,
        psnr_db=None,
        statistics=statistics_of(runs),
        runs=runs,
    )


def clips(right: int, count: int = 100) -> JudgedClips:
    """So many of so many clips were right; of the others the shape was wrong."""
    share, every = Share(right, count), Share(count, count)
    return JudgedClips(all_right=share, one_object=every, attributes={"shape": share, "colour": every})


def judged(right: int, **settings: object) -> CaseResult:
    """A case of which so many clips of a hundred were right."""
    return case([1.0], **settings).model_copy(update={"prompt_accuracy": clips(right)})


def judged_results(*cases: CaseResult, **asked: int) -> Results:
    """One scenario of cases whose clips were judged by a probe that finds 99 % of drawn clips right."""
    (result,) = results(*cases).scenarios
    scenario = result.scenario.model_copy(update={"prompt_accuracy": PromptAccuracy(**asked)})
    return Results(
        schema_version=2, scenarios=(result.model_copy(update={"scenario": scenario, "real_clips": clips(99)}),)
    )


def results(*cases: CaseResult, name: str = "one", remark: str = "") -> Results:
    """One scenario of these cases."""
    scenario = Scenario(name=name, repetitions=1, cases=tuple(one.settings for one in cases))
    result = ScenarioResult(
        scenario=scenario,
        machine=MACHINE,
        versions=VERSIONS,
        remark=remark,
        bundle="pocket",
        complete=True,
        failures={},
        cases=cases,
    )
    return Results(schema_version=2, scenarios=(result,))
