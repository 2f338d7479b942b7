"""The machine: instruction set, memory, Jetson."""

from __future__ import annotations

from vidrt import _core
from vidrt.engine.doctor.report import Finding, not_applicable, ok, wrong
from vidrt.engine.doctor.surroundings import Surroundings
from vidrt.engine.text import human_bytes

_KIB = 1024


def instruction_set(around: Surroundings) -> Finding:
    """Of vidrt's convolutions on the processor."""
    detected = _core.instruction_sets()
    asked = around.environment.get("VIDRT_ISA") or None
    try:
        used = _core.instruction_set()
    except ValueError as error:
        return wrong(str(error), f"set VIDRT_ISA to one of {', '.join(detected)}, or unset it.", detected=detected)
    why = f"VIDRT_ISA; the best here is {detected[0]}" if asked else "the best of this processor"
    return ok(f"{used} ({why})", used=used, detected=detected, features=_core.cpu_features())


def memory(around: Surroundings) -> Finding:
    """Total and available, and what a container may have of it."""
    sizes = {}
    for line in (around.read("proc/meminfo") or "").splitlines():
        name, _, rest = line.partition(":")
        number = rest.split()[:1]
        if number and number[0].isdecimal():
            sizes[name] = int(number[0]) * _KIB
    if "MemTotal" not in sizes or "MemAvailable" not in sizes:
        return wrong("/proc/meminfo does not say", "pass --memory-budget to say what vidrt may take.")
    total, available = sizes["MemTotal"], sizes["MemAvailable"]
    value = f"{human_bytes(total)}, {human_bytes(available)} available"
    limit = (around.read("sys/fs/cgroup/memory.max") or "").strip()
    container = int(limit) if limit.isdecimal() and int(limit) < total else None
    if container is not None:
        value += f"; this container may have {human_bytes(container)}"
    return ok(value, total_bytes=total, available_bytes=available, container_limit_bytes=container)


def jetson(around: Surroundings) -> Finding:
    """The release of Jetson Linux (L4T), which JetPack is made of."""
    if around.l4t is None:
        return not_applicable("this machine is not a Jetson")
    return ok(f"Jetson Linux (L4T) {around.l4t}", l4t=around.l4t)
