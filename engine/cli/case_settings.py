"""The settings of a case that the commands of `vidrt bench` take as options, defined once."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from vidrt.engine.cli import arguments as arg

_SETTINGS = "settings"


def case_settings(
    height: arg.Height = None,
    width: arg.Width = None,
    num_frames: arg.NumFrames = None,
    num_inference_steps: arg.Steps = None,
    guidance_scale: arg.GuidanceScale = None,
    scheduler: arg.SchedulerOption = None,
    step_cache: arg.StepCache = None,
    decode_chunk: arg.DecodeChunk = None,
    backend: Annotated[
        str | None,
        typer.Option(help="onnxruntime, onnxruntime-cuda, tensorrt, ... (default: auto)", rich_help_panel="Model"),
    ] = None,
    device: arg.Device = None,
    threads: arg.Threads = None,
    memory_budget: arg.MemoryBudget = None,
    variant: arg.VariantOption = None,
) -> dict[str, Any]:
    """Those that were given, by the names that Case has."""
    return {name: value for name, value in locals().items() if value is not None}


def takes_case_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command these options in the place of its keyword `settings`, which gets what case_settings() gives."""
    own = inspect.signature(command, eval_str=True)
    shared = [
        option.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for option in inspect.signature(case_settings, eval_str=True).parameters.values()
    ]
    options: list[inspect.Parameter] = []
    for option in own.parameters.values():
        options += shared if option.name == _SETTINGS else [option]

    @functools.wraps(command)
    def run(**given: Any) -> None:
        settings = case_settings(**{option.name: given.pop(option.name) for option in shared})
        command(**given, settings=settings)

    # What typer reads.
    run.__annotations__ = {option.name: option.annotation for option in options}
    run.__signature__ = own.replace(parameters=options)  # type: ignore[attr-defined]
    return run
