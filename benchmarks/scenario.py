"""What a benchmark measures: scenarios are data files, one question each."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
from pathlib import Path
from typing import Any

PEER_PACKAGES = {
    "pytorch": ("torch", "diffusers"),
    "openvino": ("openvino",),
    "diffusers": ("torch", "diffusers", "transformers"),
}
"""What each peer imports."""
EXPORT_PACKAGES = ("torch", "onnxscript")
"""What an export imports."""

FOLDER = Path(__file__).parent / "scenarios"


@dataclasses.dataclass(frozen=True)
class Case:
    """One row of a scenario. Unset values take the bundle's defaults."""

    label: str
    height: int | None = None
    width: int | None = None
    num_frames: int | None = None
    num_inference_steps: int | None = None
    guidance_scale: float | None = None
    decode_chunk: int | None = None
    threads: int | None = None
    pipelines: int | None = None
    """Open so many at once, each of which generates; the last is measured."""
    decode_only: bool | None = None
    """Take a denoiser that costs nothing, and let the frames go as they come."""
    latents: tuple[int, int, int] | None = None
    """Decode random latents of this size (T,h,w) instead of generating."""
    variant: str | None = None
    """Insist on this variant of every graph; unset, the first that can run is taken."""
    peer: str | None = None
    """Run by peers/with_<peer>.py instead of vidrt, with the same weights and initial latents; needs every setting."""
    form: str | None = None
    """How the peer runs, where it has several ways."""


@dataclasses.dataclass(frozen=True)
class Scenario:
    """A question and the cases that answer it. Every case runs in a process of its own, once a round."""

    name: str
    question: str
    repetitions: int
    warmup: int
    cases: tuple[Case, ...]
    rounds: int = 1
    """Cases take turns so often: where little differs, both must have met the same load of the machine."""
    turbo_vaed: str | None = None
    """Run Turbo-VAED's decoder at this preset, exported with random weights, in place of the bundle."""
    wan_layers: int | None = None
    """Run Wan2.1-T2V-1.3B with so many of its thirty layers, random weights and a toy's text encoder instead."""

    @property
    def compares(self) -> bool:
        """Whether peers or other variants are measured: then cases start from the same latents, and frames are kept."""
        return any(case.peer is not None or case.variant is not None for case in self.cases)

    def missing_packages(self) -> list[str]:
        """What the peers need and this environment lacks."""
        needed = [name for case in self.cases if case.peer is not None for name in PEER_PACKAGES[case.peer]]
        needed += EXPORT_PACKAGES if self.turbo_vaed or self.wan_layers else ()
        return [name for name in dict.fromkeys(needed) if importlib.util.find_spec(name) is None]


def scenario_names() -> list[str]:
    """Names of the scenarios that are there, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def load_scenario(name: str) -> Scenario:
    """Read a scenario by name.

    Raises:
        ValueError: there is no such scenario, or it has a key that is not known.
    """
    path = FOLDER / f"{name}.json"
    if not path.is_file():
        raise ValueError(f"no scenario '{name}'; there are: {', '.join(scenario_names())}.")
    data: dict[str, Any] = json.loads(path.read_text())
    try:
        cases = tuple(Case(**case) for case in data.pop("cases"))
        return Scenario(cases=cases, **data)
    except TypeError as error:
        raise ValueError(f"{path.name}: {error}") from error
