"""TensorRT's log of one build: what is kept, what it says of memory and layers, and what makes an engine useless."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

_FIGURES = {
    "activation_bytes": re.compile(r"Total Activation Memory: (\d+) bytes"),
    "scratch_bytes": re.compile(r"Max Scratch Memory: (\d+) bytes"),
    "weight_bytes": re.compile(r"Total Weights Memory: (\d+) bytes"),
}
_LAYER = re.compile(r"^Name: (?P<name>.*?), LayerType: (?P<type>[^,]*), .*TacticName: (?P<tactic>[^,]*),", re.MULTILINE)
# TensorRT goes on after these, with an engine that fails or computes nonsense at such sizes.
_FATAL = re.compile(r"Profile k\w+ values are not self-consistent.*")
# TensorRT for RTX says these of every build, or of every machine without a driver.
_HARMLESS = re.compile(
    r"HardwareCompatibilityLevel\(\) is unsupported|Thread context has not been set|input \S+ has Int64 binding"
)
_REFUSED = re.compile(r"Requested amount of GPU memory \((\d+) bytes\) could not be allocated")
_SOURCE = re.compile(r" In \S+ at /[^\s)]+")


@dataclass(frozen=True)
class Layer:
    """A row of the layer table: a layer of the engine, of which one may do the work of many nodes."""

    name: str
    type: str
    tactic: str


class BuildLog:
    """Collects what TensorRT says while one engine is built. TensorRT may speak from several threads."""

    def __init__(self) -> None:
        self._entries: list[tuple[str, str]] = []

    def add(self, severity: str, text: str) -> None:
        """Keep a message. Never raises: it is called by TensorRT, which ends the process then."""
        self._entries.append((severity, text))

    @property
    def errors(self) -> list[str]:
        """Messages that something failed, without the places in TensorRT's sources."""
        return [_SOURCE.sub("", text).strip() for severity, text in self._entries if severity == "ERROR"]

    @property
    def warnings(self) -> list[str]:
        """Warnings that say something of this build."""
        return [text for severity, text in self._entries if severity == "WARNING" and not _HARMLESS.search(text)]

    @property
    def fatal(self) -> str | None:
        """The first message that makes the engine useless though TensorRT built it."""
        found = (_FATAL.search(text) for _, text in self._entries)
        return next((_SOURCE.sub("", match.group()).strip() for match in found if match), None)

    @property
    def refused_bytes(self) -> int | None:
        """The least that the GPU had no memory for; None where it had all. A build may go on without it."""
        found = (_REFUSED.search(text) for _, text in self._entries)
        return min((int(match[1]) for match in found if match), default=None)

    def figure(self, name: str) -> int | None:
        """The bytes of activation_bytes, scratch_bytes or weight_bytes; None where TensorRT did not say."""
        found = (_FIGURES[name].search(text) for _, text in self._entries)
        return next((int(match[1]) for match in found if match), None)

    @property
    def layers(self) -> list[Layer]:
        """The layer table, as far as this TensorRT logs it."""
        return [
            Layer(match["name"], match["type"], match["tactic"])
            for _, text in self._entries
            for match in _LAYER.finditer(text)
        ]

    def text(self) -> str:
        """The whole log, a message a line or more."""
        return "".join(f"{severity}: {text}\n" for severity, text in self._entries)


def make_logger(api: Any, log: BuildLog) -> Any:
    """TensorRT's logger object over a log; to be kept as long as anything that was made with it."""

    class Logger(api.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            api.ILogger.__init__(self)

        def log(self, severity: Any, text: str) -> None:
            log.add(severity.name, text)

    return Logger()
