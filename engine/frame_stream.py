"""Frames of a running generation as an iterator: a worker thread, a bounded mailbox, and a token to stop it."""

from __future__ import annotations

import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import TracebackType

import numpy as np

from vidrt.engine.errors import Cancelled, InvalidArgument
from vidrt.engine.events import Callbacks, CancelToken, FramesEvent
from vidrt.engine.video import Video
from vidrt.engine.writers import Frames

_MAX_CHUNKS = 2  # one being looked at, one ready: enough to overlap, and flat in memory


class FrameStream(Iterator[Frames]):
    """Iterate over frames, each (H, W, 3), while the rest is generated. Made by TextToVideoPipeline.stream().

    Use it as a context manager, or close() it when leaving early: that cancels the generation and waits for the step in
    progress. Errors of the generation are raised by the iteration.
    """

    def __init__(self, generate: Callable[[Callbacks], Video], callbacks: Callbacks) -> None:
        self._mailbox = _Mailbox()
        self._pending: deque[Frames] = deque()
        cancel = CancelToken()
        inner = replace(callbacks, cancel=cancel, on_frames=_forward(self._mailbox, callbacks.on_frames))
        # The worker refers to the mailbox but not to this object, so that a forgotten stream is collected and stopped.
        thread = threading.Thread(target=_work, args=(self._mailbox, generate, inner), name="vidrt-stream", daemon=True)
        # At interpreter exit finalizers run before daemon threads are frozen, so the core is never torn apart mid-run.
        self._finalizer = weakref.finalize(self, _stop, self._mailbox, cancel, thread)
        thread.start()

    def __next__(self) -> Frames:
        if not self._pending:
            self._pending.extend(self._mailbox.take())
        if not self._pending:
            raise StopIteration
        return self._pending.popleft()

    @property
    def video(self) -> Video:
        """The result, with metadata and timings, once all frames were taken. Raises InvalidArgument before that."""
        if self._mailbox.video is None or self._pending:
            raise InvalidArgument("the stream has no video before its last frame was taken.")
        return self._mailbox.video

    def close(self) -> None:
        """Cancel what still runs and wait for it. Idempotent; callable from any thread."""
        self._pending.clear()
        self._finalizer()

    def __enter__(self) -> FrameStream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Mailbox:
    """Chunks of frames from the worker to the consumer, at most _MAX_CHUNKS at a time."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._chunks: deque[Frames] = deque()
        self._closed = False
        self._finished = False
        self._error: BaseException | None = None
        self.video: Video | None = None

    def put(self, frames: Frames) -> None:
        """Wait for room. Raises Cancelled when the consumer has gone."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or len(self._chunks) < _MAX_CHUNKS)
            if self._closed:
                raise Cancelled("the stream was closed.")
            self._chunks.append(frames)
            self._changed.notify_all()

    def take(self) -> Frames:
        """Wait for the next chunk, (n, H, W, 3); empty at the end. Raises the generation's error."""
        with self._changed:
            self._changed.wait_for(lambda: self._chunks or self._finished or self._closed)
            if self._chunks:
                frames = self._chunks.popleft()
                self._changed.notify_all()
                return frames
            error, self._error = self._error, None
        if error is not None:
            raise error
        return np.empty((0, 0, 0, 3), np.uint8)

    def finish(self, video: Video | None, error: BaseException | None) -> None:
        with self._changed:
            self.video, self._finished = video, True
            self._error = None if self._closed else error
            self._changed.notify_all()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._chunks.clear()
            self._changed.notify_all()


def _forward(mailbox: _Mailbox, on_frames: Callable[[FramesEvent], object] | None) -> Callable[[FramesEvent], None]:
    def forward(event: FramesEvent) -> None:
        if on_frames is not None:
            on_frames(event)
        mailbox.put(event.frames)

    return forward


def _work(mailbox: _Mailbox, generate: Callable[[Callbacks], Video], callbacks: Callbacks) -> None:
    try:
        mailbox.finish(generate(callbacks), None)
    except BaseException as error:  # the consumer's thread raises it
        mailbox.finish(None, error)


def _stop(mailbox: _Mailbox, cancel: CancelToken, thread: threading.Thread) -> None:
    cancel.cancel()
    mailbox.close()
    if thread is not threading.current_thread():  # a callback may drop the last reference
        thread.join()
