"""What this machine's processor can do, measured for a second: a product of matrices and a copy, by NumPy."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from vidrt.engine.predict.devices import CPU, DeviceSpec

_SIDE = 1024
_COPIED_BYTES = 128 << 20
"""More than processors' caches hold."""
_ROUNDS = 5


def measured_processor() -> DeviceSpec:
    """Measure the processor as it is now: other programs that run make it slower.

    The peak is that of NumPy's float32 product with the threads that its library takes; half precisions have none of
    their own. The bandwidth counts bytes read and written by a copy with a thread a core.
    """
    cores = os.cpu_count() or 1
    return DeviceSpec(
        name=CPU,
        title=f"this machine's processor, {cores} threads",
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        bandwidth=2 * _COPIED_BYTES / _best(_copy(cores)),
        peaks={"fp32": 2 * _SIDE**3 / _best(_product())},
        sources=(f"measured now: a float32 product of {_SIDE}x{_SIDE} matrices, a copy of 128 MiB, best of {_ROUNDS}",),
        note="fp16 and bf16 graphs would run as fp32",
        backend="onnxruntime",
    )


def _product() -> Callable[[], object]:
    random = np.random.default_rng(0)
    a, b = (random.standard_normal((_SIDE, _SIDE), dtype=np.float32) for _ in range(2))
    return lambda: a @ b


def _copy(threads: int) -> Callable[[], object]:
    source = np.ones(_COPIED_BYTES, np.uint8)
    target = np.zeros_like(source)  # written once, so that its pages are there
    parts = list(zip(np.array_split(source, threads), np.array_split(target, threads), strict=True))

    def run() -> None:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(lambda part: np.copyto(part[1], part[0]), parts))

    return run


def _best(run: Callable[[], object]) -> float:
    """Seconds of the fastest round, after one that does not count."""
    run()
    times = []
    for _ in range(_ROUNDS):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)
