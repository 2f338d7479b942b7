"""A scenario from the command line's flags: one case of vidrt's, and what it is to be compared with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import vidrt
from vidrt.engine.bench.files import checked
from vidrt.engine.bench.scenario import Scenario
from vidrt.engine.errors import InvalidArgument

COMPARISONS = ("pytorch", "diffusers", "stock-ort")


def adhoc_scenario(
    bundle: Path, settings: dict[str, Any], counts: dict[str, Any], compare: tuple[str, ...] = ()
) -> Scenario:
    """Make the scenario `adhoc`.

    Args:
        bundle: The folder, for its defaults and variants.
        settings: Attributes of Case that are set.
        counts: repetitions, warmup, rounds, prompt_accuracy.
        compare: Of COMPARISONS.

    Raises:
        InvalidArgument: A value is out of its range, or there is nothing to compare with.
    """
    unknown = [name for name in compare if name not in COMPARISONS]
    if unknown:
        raise InvalidArgument(f"--compare takes {', '.join(COMPARISONS)}, got {unknown[0]!r}.")
    case = {"label": "vidrt", **settings}
    cases = [case]
    if {"pytorch", "diffusers"} & set(compare):
        case |= _spelled_out(bundle, settings)
    for name in dict.fromkeys(compare):
        if name == "stock-ort":
            if "variant" in settings:
                raise InvalidArgument("--compare stock-ort chooses a variant itself; leave --variant out.")
            cases.append({**case, "label": "stock graphs", "variant": stock_variant(bundle)})
        else:
            left_out = ("backend", "device", "memory_budget", "variant", "step_cache", "decode_chunk", "keep_frames")
            shared = {key: value for key, value in case.items() if key not in left_out}
            cases.append({**shared, "label": name, "peer": name, "form": "contiguous"})
    return checked(Scenario, {"name": "adhoc", **counts, "cases": cases}, "the command's options")


def _spelled_out(bundle: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """What a peer must be told, which vidrt takes from the bundle."""
    manifest = vidrt.Bundle(bundle).manifest
    defaults = manifest.defaults
    names = ("height", "width", "num_frames", "num_inference_steps", "guidance_scale")
    threads = settings.get("threads")
    if threads is None:
        raise InvalidArgument("--compare with PyTorch or diffusers needs --threads, so that both have as many.")
    return {name: settings.get(name, getattr(defaults, name)) for name in names} | {"threads": threads}


def stock_variant(folder: Path) -> str:
    """The first variant that every module has for ONNX Runtime and that needs no operators of vidrt's own.

    Raises:
        InvalidArgument: There is none, or no module has another one.
    """
    modules = vidrt.Bundle(folder).modules.values()
    stock = [
        [one.id for one in module.variants if not one.custom_ops and "onnxruntime" in one.backends]
        for module in modules
    ]
    common = [name for name in stock[0] if all(name in names for names in stock)]
    if not common or not any(one.custom_ops for module in modules for one in module.variants):
        raise InvalidArgument(
            f"{folder} has no stock variant beside one with vidrt's operators; there is nothing to compare."
        )
    return common[0]
