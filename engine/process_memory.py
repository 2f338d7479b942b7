"""The memory of this process: its pages that are in the machine's memory, of mapped files as well."""

from __future__ import annotations

import re
from pathlib import Path

from vidrt.engine.errors import BackendError

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")
_RESET_PEAK = "5"  # of proc_pid_clear_refs(5): VmHWM becomes VmRSS


def _kilobytes(*names: str) -> dict[str, int]:
    try:
        text = _STATUS.read_text()
        return {name: int(re.search(rf"^{name}:\s+(\d+) kB", text, re.MULTILINE)[1]) for name in names}  # type: ignore[index]
    except (OSError, TypeError) as error:
        raise BackendError(
            f"cannot read {_STATUS}, which memory is measured with: {error}. Measure on Linux."
        ) from error


def resident_bytes() -> int:
    """Bytes that are in memory now."""
    return _kilobytes("VmRSS")["VmRSS"] * 1024


def anonymous_bytes() -> int:
    """Of them, those that no file backs: what the system would have to swap."""
    return _kilobytes("RssAnon")["RssAnon"] * 1024


def reset_peak() -> None:
    """Begin to look for the peak anew. Raises BackendError where the system does not let a process do so."""
    try:
        _CLEAR.write_text(_RESET_PEAK)
    except OSError as error:
        raise BackendError(
            f"cannot write {_CLEAR}, which memory is measured with: {error}. Measure on Linux."
        ) from error


def peak_resident_bytes() -> int:
    """The most bytes that were in memory since reset_peak()."""
    return _kilobytes("VmHWM")["VmHWM"] * 1024
