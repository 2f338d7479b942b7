"""What a scenario needs besides the engine: packages, and the scripts of benchmarks/, which are in no wheel."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

from vidrt.engine.bench.scenario import MadeBundle, Scenario
from vidrt.engine.errors import BackendError

VARIABLE = "VIDRT_BENCHMARKS"
_PEER_PACKAGES = {
    "pytorch": ("torch", "diffusers"),
    "openvino": ("openvino",),
    "diffusers": ("torch", "diffusers", "transformers"),
}
_EXPORT_PACKAGES = {
    "decode-only": ("onnx",),
    "turbo-vaed": ("torch", "onnxscript"),
    "unet3d": ("torch", "onnxscript"),
    "wan": ("torch", "onnxscript"),
}
_JUDGE_PACKAGES = ("torch",)


def script(name: str) -> Path:
    """A script of benchmarks/ by its path there.

    It is looked for in $VIDRT_BENCHMARKS and in the source tree that vidrt runs from; never beside a scenario, which
    may come from anywhere.

    Raises:
        BackendError: It is in neither place.
    """
    named = os.environ.get(VARIABLE)
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "benchmarks"
    if not (folder / name).is_file():
        raise BackendError(
            f"there is no {folder / name}: peers and makers of bundles are in benchmarks/ of vidrt's source tree, not "
            f"in the installed package; set {VARIABLE} to that folder of a checkout."
        )
    return folder / name


def check_scenario(scenario: Scenario) -> None:
    """Raise BackendError, before anything runs, where a peer, a maker of a bundle or the probe could not run."""
    needed: dict[str, str] = {}
    for peer in dict.fromkeys(case.peer for case in scenario.cases if case.peer is not None):
        script(f"peers/with_{peer}.py")
        needed |= dict.fromkeys(_PEER_PACKAGES[peer], f"measures {peer}")
    if isinstance(scenario.bundle, MadeBundle):
        script("make_bundle.py")
        needed |= dict.fromkeys(_EXPORT_PACKAGES[scenario.bundle.make], f"makes the bundle '{scenario.bundle.make}'")
    if scenario.prompt_accuracy is not None:
        needed |= dict.fromkeys(_JUDGE_PACKAGES, "judges clips (prompt_accuracy)")
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing:
        raise BackendError(
            f"{scenario.name} {needed[missing[0]]}, and {', '.join(missing)} is not installed; run "
            "`pip install 'vidrt[export,benchmarks]'`."
        )
