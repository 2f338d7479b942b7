"""Generations in an event loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

from vidrt.engine.errors import Cancelled
from vidrt.engine.events import Callbacks, CancelToken
from vidrt.engine.frame_stream import FrameStream
from vidrt.engine.video import Video
from vidrt.engine.writers import Frames


async def run_async(generate: Callable[[Callbacks], Video], callbacks: Callbacks) -> Video:
    """Run a generation in a worker thread; a cancelled task stops it and waits for the step in progress."""
    cancel = CancelToken() if callbacks.cancel is None else callbacks.cancel
    work = asyncio.ensure_future(asyncio.to_thread(generate, replace(callbacks, cancel=cancel)))
    try:
        # Shielded: the thread cannot be interrupted from outside, only asked.
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        cancel.cancel()
        with contextlib.suppress(Cancelled):
            await work
        raise


async def frames_async(stream: FrameStream) -> AsyncIterator[Frames]:
    """Iterate over a stream without blocking the loop, and close it whatever happens."""
    try:
        while (frame := await asyncio.to_thread(next, stream, None)) is not None:
            yield frame
    finally:
        # Closing wakes a thread that still waits in next(), and may itself wait for one step.
        await asyncio.to_thread(stream.close)
