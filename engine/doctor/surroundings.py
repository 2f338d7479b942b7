"""What the rows may look at: files of the system, the environment, and probes in processes of their own."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from vidrt.engine.doctor.probing import Answer, ask, run_probe

TIMEOUT_S = 20.0
"""For a probe. TensorRT loads in seconds; a driver that hangs does so for ever."""

_NVIDIA = "0x10de"
_DISPLAY = "0x03"


@dataclass(frozen=True)
class Surroundings:
    """A machine to look at; the defaults are this one.

    Attributes:
        root: Where /etc, /proc and /sys are.
        environment: Variables, of the probes too.
        machine: The processor's architecture, as platform.machine().
        timeout_s: How long a probe may take.
    """

    root: Path = Path("/")
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    machine: str = field(default_factory=platform.machine)
    timeout_s: float = TIMEOUT_S
    _answers: dict[tuple[str, ...], tuple[dict[str, Any], str | None]] = field(default_factory=dict, repr=False)
    _locks: dict[tuple[str, ...], threading.Lock] = field(default_factory=dict, repr=False)

    def probe(self, name: str, *arguments: str) -> tuple[dict[str, Any], str | None]:
        """What a script of probes/ finds, and why it found nothing; asked once, from whatever thread."""
        key = (name, *arguments)
        with self._locks.setdefault(key, threading.Lock()):
            if key not in self._answers:
                self._answers[key] = run_probe(name, arguments, self.environment, self.timeout_s)
            return self._answers[key]

    def ask(self, command: Sequence[str]) -> Answer:
        """Run a program."""
        return ask(command, self.environment, self.timeout_s)

    def read(self, path: str) -> str | None:
        """A small text file of the system by its path below the root; None where it cannot be read."""
        try:
            return (self.root / path).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None

    @cached_property
    def l4t(self) -> str | None:
        """The release of Jetson Linux, as "36.4.0"; None on other machines."""
        text = self.read("etc/nv_tegra_release")
        if text is None:
            return None
        words = text.replace(",", " ").split()  # "# R36 (release), REVISION: 4.0, GCID: ..."
        major = next((word[1:] for word in words if word[:1] == "R" and word[1:].isdecimal()), "")
        revision = words[words.index("REVISION:") + 1] if "REVISION:" in words[:-1] else ""
        return ".".join(filter(None, (major, revision))) or "unknown"

    @cached_property
    def has_nvidia_gpu(self) -> bool:
        """Whether the hardware is there, with or without a driver."""
        if self.l4t is not None:
            return True
        for device in (self.root / "sys/bus/pci/devices").glob("*"):
            place = device.relative_to(self.root)
            vendor, kind = self.read(f"{place}/vendor"), self.read(f"{place}/class")
            if (vendor or "").strip() == _NVIDIA and (kind or "").startswith(_DISPLAY):
                return True
        return False


def package_version(name: str) -> str | None:
    """Of an installed Python package; None where it is not installed."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def is_importable(module: str) -> bool:
    """Whether a top-level module is there, which is not loaded."""
    return importlib.util.find_spec(module) is not None
