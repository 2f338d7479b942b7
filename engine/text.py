"""Numbers for people."""

from __future__ import annotations


def human_bytes(count: int) -> str:
    """Bytes as 812 B, 3.2 MiB, ..."""
    if count < 1024:
        return f"{count} B"
    value = float(count)
    for unit in ("KiB", "MiB", "GiB"):
        value /= 1024
        if value < 1024:
            return f"{value:.1f} {unit}"
    return f"{value / 1024:.1f} TiB"


def human_ms(milliseconds: float) -> str:
    """A duration as 12 ms or 3.45 s."""
    return f"{milliseconds:.0f} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.2f} s"
