"""What the layers of each module took, as their backend timed them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vidrt import _core


@dataclass(frozen=True)
class LayerTime:
    """One layer as the backend runs it: optimised graphs have others than the bundle's, several nodes fused into one.

    Attributes:
        name: As the backend calls it.
        type: The operator, "Conv"; "" where the backend does not say (TensorRT).
        median_ms: Milliseconds, the median of the runs that had the layer.
        share: Of the medians of all layers of the module, 0 to 1.
    """

    name: str
    type: str
    median_ms: float
    share: float


@dataclass(frozen=True)
class ModuleProfile:
    """The layers of one module.

    Attributes:
        module: Its name.
        variant: The variant that ran.
        runs: Runs that were timed.
        missed_runs: Runs of which the backend kept no times: ONNX Runtime keeps a million events.
        run_ms: Milliseconds, the median of whole runs. What the layers lack of it is between them.
        layers: The slowest first.
    """

    module: str
    variant: str
    runs: int
    missed_runs: int
    run_ms: float
    layers: tuple[LayerTime, ...]


@dataclass(frozen=True)
class LayerProfile:
    """The modules that ran, by name."""

    modules: tuple[ModuleProfile, ...]

    @classmethod
    def from_core(cls, modules: list[_core.ModuleProfile]) -> LayerProfile:
        """Copy what the core gives."""
        return cls(
            tuple(
                ModuleProfile(
                    one.module,
                    one.variant,
                    one.runs,
                    one.missed_runs,
                    one.run_ms,
                    tuple(LayerTime(layer.name, layer.type, layer.median_ms, layer.share) for layer in one.layers),
                )
                for one in modules
            )
        )

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return asdict(self)
