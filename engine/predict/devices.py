"""What devices can do at most, from devices.json: published figures, each with its source."""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vidrt.engine.errors import InvalidArgument

CPU = "cpu"
"""The device that is measured instead of looked up: this machine's processor."""

_FILE = Path(__file__).resolve().with_name("devices.json")
_PRECISIONS = ("fp32", "fp16", "bf16", "int8")


@dataclass(frozen=True)
class DeviceSpec:
    """A device.

    Attributes:
        name: As `vidrt predict --device` takes it.
        title: What it is.
        memory_bytes: Its memory; of a Jetson and of a processor all of the machine's.
        bandwidth: Bytes a second between it and its memory.
        peaks: Operations a second of matrix units by precision, dense (without structured sparsity) and with fp32
            accumulation where that is slower. fp32 is the rate of vector units.
        sources: Where the figures are from.
        note: What is derived, and how.
        backend: What runs the graphs: "tensorrt", or "onnxruntime" on a processor.
    """

    name: str
    title: str
    memory_bytes: int
    bandwidth: float
    peaks: Mapping[str, float]
    sources: tuple[str, ...]
    note: str
    backend: str = "tensorrt"

    def __post_init__(self) -> None:
        numbers = {"memory_bytes": self.memory_bytes, "bandwidth": self.bandwidth, **self.peaks}
        wrong = [name for name, value in numbers.items() if not (math.isfinite(value) and value > 0)]
        unknown = [name for name in self.peaks if name not in _PRECISIONS]
        if wrong or unknown or "fp32" not in self.peaks or not self.sources:
            raise InvalidArgument(
                f"the device {self.name!r} needs positive figures, an fp32 peak, others of {', '.join(_PRECISIONS)} "
                f"alone, and a source; got {numbers} and {len(self.sources)} sources."
            )

    def peak(self, precision: str) -> float:
        """Operations a second; a precision that the device has no units for runs as fp32."""
        return self.peaks.get(precision, self.peaks["fp32"])

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**asdict(self), "peaks": dict(self.peaks)}


def known_devices() -> dict[str, DeviceSpec]:
    """All devices of devices.json, by name."""
    entries: dict[str, dict[str, Any]] = json.loads(_FILE.read_text(encoding="utf-8"))
    return {name: _spec(name, entry) for name, entry in entries.items()}


def device_spec(name: str) -> DeviceSpec:
    """The device of a name; "cpu" measures this machine's processor, which takes a second.

    Raises:
        InvalidArgument: There is none of that name; the message lists the known ones.
    """
    if name == CPU:
        from vidrt.engine.predict.processor import measured_processor

        return measured_processor()
    devices = known_devices()
    if name not in devices:
        near = difflib.get_close_matches(name, devices, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise InvalidArgument(f"no figures for a device {name!r}; known are {CPU}, {', '.join(devices)}.{hint}")
    return devices[name]


def _spec(name: str, entry: Mapping[str, Any]) -> DeviceSpec:
    return DeviceSpec(
        name=name,
        title=entry["title"],
        memory_bytes=int(entry["memory_gib"] * 2**30),
        bandwidth=entry["bandwidth_gbs"] * 1e9,
        peaks={precision: value * 1e12 for precision, value in entry["tflops"].items()},
        sources=tuple(entry["sources"]),
        note=entry["note"],
    )
