"""Ctrl-C as a request to stop: the frames that are finished must still get into their file."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

from vidrt.engine.events import CancelToken


@contextlib.contextmanager
def cancel_on_interrupt() -> Iterator[CancelToken]:
    """Give a token that the first SIGINT or SIGTERM cancels; the second one acts as if this were not here.

    Works on the main thread, where Python runs signal handlers.
    """
    token = CancelToken()
    previous = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in previous.items():
            signal.signal(number, handler)

    def cancel(number: int, frame: FrameType | None) -> None:
        token.cancel()
        restore()

    for number in previous:
        signal.signal(number, cancel)
    try:
        yield token
    finally:
        restore()
