"""How long kernels take on a device: as long as the slower of arithmetic and memory.

That is the roofline of Williams, Waterman and Patterson (Communications of the ACM, 2009).

No engine reaches a device's peaks, and how near it comes differs from model to model. So there are two answers, for the
best and the worst of the shares of the peaks that are assumed here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from vidrt.engine.predict.devices import DeviceSpec
from vidrt.engine.predict.kernels import Kernel


@dataclass(frozen=True)
class Share:
    """What of a device is reached.

    Attributes:
        matrix: Part of the peak of matrix units.
        vector: Part of the peak of vector units, in depthwise convolutions.
        bandwidth: Part of the memory's bandwidth.
        launch_seconds: What a kernel takes besides.
    """

    matrix: float
    vector: float
    bandwidth: float
    launch_seconds: float


BEST = Share(matrix=0.8, vector=0.5, bandwidth=0.85, launch_seconds=2e-6)
WORST = Share(matrix=0.3, vector=0.1, bandwidth=0.5, launch_seconds=10e-6)
"""Assumed for every device. What published measurements reach: benchmarks/PREDICTIONS.md."""


@dataclass(frozen=True)
class Seconds:
    """Time, by what it goes for."""

    arithmetic: float = 0.0
    memory: float = 0.0
    launches: float = 0.0

    @property
    def total(self) -> float:
        """All of it."""
        return self.arithmetic + self.memory + self.launches

    @property
    def limit(self) -> str:
        """What most of it goes for."""
        return max(("arithmetic", "memory", "launches"), key=lambda name: getattr(self, name))

    def __add__(self, other: Seconds) -> Seconds:
        return Seconds(self.arithmetic + other.arithmetic, self.memory + other.memory, self.launches + other.launches)

    def __mul__(self, times: int) -> Seconds:
        return Seconds(self.arithmetic * times, self.memory * times, self.launches * times)


def kernel_seconds(kernel: Kernel, device: DeviceSpec, share: Share) -> Seconds:
    """One kernel. Its time counts as arithmetic or as memory, whichever is longer and hides the other."""
    arithmetic = kernel.operations.matrix / (device.peak(kernel.precision) * share.matrix)
    arithmetic += kernel.operations.vector / (device.peak("fp32") * share.vector)
    memory = kernel.bytes / (device.bandwidth * share.bandwidth)
    if arithmetic >= memory:
        return Seconds(arithmetic=arithmetic, launches=share.launch_seconds)
    return Seconds(memory=memory, launches=share.launch_seconds)


def run_seconds(kernels: Iterable[Kernel], device: DeviceSpec, share: Share) -> Seconds:
    """A run of a graph, one kernel after the other."""
    return sum((kernel_seconds(kernel, device, share) for kernel in kernels), Seconds())
