"""Whether all of a bench can run: found out before any of it does, and the engines built that cases lack."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import get_args

import numpy as np

import vidrt
from vidrt.engine.bench.accuracy import check_judged
from vidrt.engine.bench.files import check_writable
from vidrt.engine.bench.running import Job
from vidrt.engine.bench.scenario import Case, MadeBundle
from vidrt.engine.bench.source_tree import check_scenario
from vidrt.engine.builder import BuildEvent
from vidrt.engine.builder.options import Backend
from vidrt.engine.errors import InvalidArgument

OnBuild = Callable[[BuildEvent], object]


def check_jobs(jobs: Sequence[Job], target: Path, on_build: OnBuild | None = None) -> None:
    """Find out before anything runs whether all of it can.

    Args:
        jobs: What shall run.
        target: Where the results go.
        on_build: Build engines that TensorRT's cases lack, last of all, and tell of it; None does not build. Of bundles
            that a scenario makes there is nothing to build from yet.

    Raises:
        InvalidArgument: Two scenarios have one name, a case asks for what its bundle cannot do, or engines are to be
            built and no case runs any.
        BundleError: A bundle cannot be used.
        BackendError: A peer, a maker of a bundle, a library, a variant or an engine is missing.
        IoError: The results could not be written.
    """
    names = [job.scenario.name for job in jobs]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InvalidArgument(f"two scenarios are called {twice}; results are told apart by name.")
    cases: list[tuple[Job, Case]] = []
    for job in jobs:
        check_scenario(job.scenario)
        made = job.scenario.bundle
        if isinstance(made, MadeBundle) and made.make != "decode-only":
            continue
        bundle = vidrt.Bundle(job.bundle)
        for case in job.scenario.cases:
            if case.peer is None:
                cases.append((job, case))
            else:
                _check_peer(job, case, bundle)
        if job.scenario.prompt_accuracy is not None:
            check_judged(job.scenario, bundle)
    check_writable(target)
    builds = [(job, case) for job, case in cases if on_build is not None and case.backend in get_args(Backend)]
    if on_build is not None and not builds:
        raise InvalidArgument(
            "build_engines (--build-engines) is for cases of the backends tensorrt and tensorrt-rtx, which run "
            "engines, and no case has one of them. Leave it out."
        )
    for job, case in cases:
        if (job, case) not in builds:
            _check_case(job, case, None)
    for job, case in builds:
        _check_case(job, case, on_build)


def _check_peer(job: Job, case: Case, bundle: vidrt.Bundle) -> None:
    if case.peer in ("pytorch", "openvino") and bundle.manifest.family != "pocket":
        raise InvalidArgument(
            f"the peer {case.peer} runs bundles of the family pocket alone; {job.bundle} is of the family "
            f"{bundle.manifest.family}."
        )
    if case.peer == "diffusers" and not (job.bundle.parent / "checkpoint").is_dir():
        raise InvalidArgument(
            f"the peer diffusers runs the checkpoint that the bundle was exported from, in the folder "
            f"`checkpoint` beside it; there is no {job.bundle.parent / 'checkpoint'}."
        )


def _check_case(job: Job, case: Case, on_build: OnBuild | None) -> None:
    settings = (case.backend or "auto", case.device, case.threads, case.memory_budget, case.variant)
    pipe = vidrt.TextToVideoPipeline(job.bundle, *settings, build_engines=on_build is not None, on_build=on_build)
    try:
        if case.latents is None:
            pipe.plan(vidrt.GenerateOptions(**case.options(pipeline=False)))
        else:
            shape = (pipe.bundle.manifest.vae.latent_channels, *case.latents)
            pipe.plan_decode(vidrt.DecodeOptions(np.zeros(shape, np.float32), **case.options(pipeline=False)))
    except (InvalidArgument, TypeError) as error:
        raise InvalidArgument(f"{job.scenario.name}, '{case.label}': {error}") from error
