"""What only a loaded engine says. Loading takes a GPU."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from vidrt.engine.builder.build_log import Layer
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


@dataclass(frozen=True)
class Loaded:
    """What an engine said when it was loaded.

    Attributes:
        activation_bytes: Memory for activations at the largest shapes.
        layers: The layer table; empty where TensorRT does not tell it.
        streaming: None for an engine that cannot stream its weights.
    """

    activation_bytes: int
    layers: tuple[Layer, ...]
    streaming: Streaming | None


def ask_loaded(flavour: Flavour, logger: Any, plan: Any, *, streams: bool) -> Loaded | None:
    """Load a plan on this machine's GPU, and ask it.

    Args:
        flavour: The TensorRT that built it.
        logger: TensorRT's; it is told why where the plan does not load.
        plan: The bytes.
        streams: Whether it was built with weight streaming.

    Returns:
        None where the plan does not load here: it may be for another GPU.
    """
    engine = flavour.api.Runtime(logger).deserialize_cuda_engine(plan)
    if engine is None:
        return None
    # Before there is a budget: what weights are staged in counts as well where some are streamed.
    activation_bytes = engine.device_memory_size_v2
    return Loaded(activation_bytes, _layers(flavour.api, engine), _streaming(engine) if streams else None)


def _streaming(engine: Any) -> Streaming:
    # A budget of nothing streams all that can be. It takes the most memory for that, and the least for weights.
    engine.weight_streaming_budget_v2 = 0
    return Streaming(engine.streamable_weights_size, engine.weight_streaming_scratch_memory_size)


def _layers(api: Any, engine: Any) -> tuple[Layer, ...]:
    """The engine inspector's table: an object a layer, or its name alone where the plan has no more."""
    text = engine.create_engine_inspector().get_engine_information(api.LayerInformationFormat.JSON)
    try:
        entries = json.loads(text)["Layers"]
        return tuple(
            Layer(entry, "", "")
            if isinstance(entry, str)
            else Layer(entry["Name"], entry.get("LayerType", ""), entry.get("TacticName", ""))
            for entry in entries
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return ()
