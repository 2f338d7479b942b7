"""What a built engine says of streaming its weights. Only a loaded engine does, and loading takes a GPU."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vidrt.engine.builder.flavour import Flavour


@dataclass(frozen=True)
class Streaming:
    """Bytes that a plan of memory needs to know where weights are streamed.

    Attributes:
        streamable_weight_bytes: Of the weights, what may stay on the host.
        weight_staging_bytes: Device memory that a run takes besides where all of that does.
    """

    streamable_weight_bytes: int
    weight_staging_bytes: int


def streaming_of(flavour: Flavour, logger: Any, plan: Any) -> Streaming | None:
    """Load a plan on this machine's GPU, and ask it.

    Args:
        flavour: The TensorRT that built it.
        logger: TensorRT's; it is told why where the plan does not load.
        plan: The bytes, of an engine that was built with weight streaming.

    Returns:
        None where the plan does not load here: it may be for another GPU.
    """
    engine = flavour.api.Runtime(logger).deserialize_cuda_engine(plan)
    if engine is None:
        return None
    # A budget of nothing streams all that can be. It takes the most memory for that, and the least for weights.
    engine.weight_streaming_budget_v2 = 0
    return Streaming(engine.streamable_weights_size, engine.weight_streaming_scratch_memory_size)
