"""What all writers do alike: check frames, translate errors, appear whole or not at all."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from vidrt.engine.errors import InvalidArgument
from vidrt.engine.writers.staging import StagedFile, StagedFolder, io_error

# 60000/1001 and its kin are exact below this; no common rate needs more.
_MAX_RATE_DENOMINATOR = 1001


Frames: TypeAlias = npt.NDArray[np.uint8 | np.float32]
"""RGB, with three values last: 0 to 255 as uint8, 0 to 1 as float32 (docs/frames.md)."""


@dataclass(frozen=True)
class ClipFormat:
    """What a writer knows before the first frame.

    Attributes:
        height: Pixels.
        width: Pixels.
        fps: Frames per second.
        metadata: How the clip was made; `prompt` becomes the title, all of it the comment.
        output_type: Of the frames: "uint8", or "float32".
    """

    height: int
    width: int
    fps: float
    metadata: Mapping[str, Any] = field(default_factory=dict)
    output_type: str = "uint8"

    @property
    def rate(self) -> Fraction:
        """The frame rate as the fraction that containers store."""
        return Fraction(self.fps).limit_denominator(_MAX_RATE_DENOMINATOR)

    @property
    def title(self) -> str:
        """The prompt."""
        return str(self.metadata.get("prompt", ""))

    @property
    def comment(self) -> str:
        """The metadata as one line of JSON; empty without any."""
        return json.dumps(dict(self.metadata), ensure_ascii=False) if self.metadata else ""


class VideoWriter(ABC):
    """Writes one clip, frames in order, in as many calls as wanted.

    As a context manager it closes after success and discards after an exception. `close(path)` with another path keeps
    what was written so far under that name.
    """

    def __init__(self, staged: StagedFile | StagedFolder, clip: ClipFormat) -> None:
        self._staged = staged
        self._clip = clip
        self.num_frames = 0

    def write(self, frames: Frames) -> None:
        """Append frames, (n, H, W, 3) of the clip's output type.

        Raises:
            InvalidArgument: For another shape or type.
            IoError: When it cannot write.
        """
        expected = (self._clip.height, self._clip.width, 3)
        if frames.dtype != self._clip.output_type or frames.ndim != 4 or frames.shape[1:] != expected:
            raise InvalidArgument(
                f"frames must be (n, {expected[0]}, {expected[1]}, 3) {self._clip.output_type}, "
                f"got {frames.shape} {frames.dtype}."
            )
        try:
            for frame in frames:
                self._write_frame(np.ascontiguousarray(frame))
                self.num_frames += 1
        except OSError as error:
            raise io_error(self._staged.target, error) from error

    def close(self, path: Path | None = None) -> Path:
        """Finish the file and give it its name. Raises IoError, and leaves nothing behind then."""
        target = self._staged.target if path is None else path
        try:
            if self.num_frames == 0:
                raise InvalidArgument(f"{target} would have no frames.")
            self._finish()
            self._staged.commit(target)
        except OSError as error:
            raise io_error(target, error) from error
        finally:
            self.discard()
        return target

    def discard(self) -> None:
        """Drop what was written. Does nothing after close()."""
        self._abandon()
        self._staged.discard()

    @abstractmethod
    def _write_frame(self, frame: npt.NDArray[Any]) -> None:
        """Append one (H, W, 3) frame. Raises OSError."""

    @abstractmethod
    def _finish(self) -> None:
        """Write what is left and close the file. Raises OSError."""

    @abstractmethod
    def _abandon(self) -> None:
        """Let go of open files without caring for their contents. Idempotent, and never raises."""

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()
