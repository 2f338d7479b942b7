"""What a generation needs of a device's memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from vidrt.engine.plan import GenerationPlan
from vidrt.engine.predict.devices import DeviceSpec

_DECODER = "vae_decoder"


@dataclass(frozen=True)
class PredictedMemory:
    """Bytes.

    Attributes:
        device_bytes: The device's memory, of which others take a part: the system, a desktop, CUDA itself.
        weight_bytes: Weights of all modules, in the precision that their graphs compute in.
        stage_weight_bytes: The most that one stage's modules have.
        arena_bytes: Tensors between modules, as `vidrt plan` places them.
        working_bytes: The most that tensors inside a module take, predicted.
    """

    device_bytes: int
    weight_bytes: int
    stage_weight_bytes: int
    arena_bytes: int
    working_bytes: int

    @property
    def total_bytes(self) -> int:
        """With all modules loaded."""
        return self.weight_bytes + self.arena_bytes + self.working_bytes

    @property
    def stage_bytes(self) -> int:
        """With one stage's modules loaded at a time."""
        return self.stage_weight_bytes + self.arena_bytes + self.working_bytes

    @property
    def fits(self) -> str:
        """The residency that fits: "all", "stage_by_stage", or "no"."""
        if self.total_bytes <= self.device_bytes:
            return "all"
        return "stage_by_stage" if self.stage_bytes <= self.device_bytes else "no"

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            **asdict(self),
            "total_bytes": self.total_bytes,
            "stage_bytes": self.stage_bytes,
            "fits": self.fits,
        }


def predicted_memory(
    device: DeviceSpec, plan: GenerationPlan, weights: Mapping[str, int], working: Mapping[str, int]
) -> PredictedMemory:
    """Put together what modules need, by their names. The two steps of a decoder have the same weights."""
    stages: dict[str, int] = {}
    for module, count in weights.items():
        stage = _DECODER if module.startswith(_DECODER) else module
        stages[stage] = max(count, stages.get(stage, 0))
    return PredictedMemory(
        device_bytes=device.memory_bytes,
        weight_bytes=sum(stages.values()),
        stage_weight_bytes=max(stages.values()),
        arena_bytes=plan.arena_bytes,
        working_bytes=max(working.values()),
    )
