"""The result of a generation: frames, and how they were made."""

from __future__ import annotations

import base64
import html
import math
import os
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from vidrt import _core
from vidrt.engine.errors import BackendError, InvalidArgument
from vidrt.engine.plan import PlannedTiles
from vidrt.engine.writers import ClipFormat, Frames, open_writer

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True)
class Timings:
    """Where the time went, in milliseconds.

    Attributes:
        load: Loading modules.
        encode: The text encoder.
        encode_image: The encoder of an image, or of a clip's frames; 0 where neither was given.
        denoise: The sampling loop.
        decode: The decoder, callbacks included.
        last_step_to_first_frame: From the last denoising step to the first frame.
        first_frame: From the call to the first frame.
        total: The whole call.
        session: The part spent inside the backend.
    """

    load: float = 0.0
    encode: float = 0.0
    encode_image: float = 0.0
    denoise: float = 0.0
    decode: float = 0.0
    last_step_to_first_frame: float = 0.0
    first_frame: float = 0.0
    total: float = 0.0
    session: float = 0.0


@dataclass(frozen=True)
class VideoMetadata:
    """What made a video, so that it can be made again. Fields mean what they mean in GenerateOptions and the plan.

    Attributes:
        bundle: The manifest's name.
        vidrt_version: The library's.
        backend: With its version: "onnxruntime 1.32.0".
        device: "cpu" or "cuda:N".
        variants: Module to variant id.
        prompts_fixed_by: "ftfy 6.3.1" where it was asked to put the prompts right, which are here as it gave them.
        skipped_steps: Those, from 0, that used the prediction of an earlier step because of step_cache.
        image_sha256: Of the RGB bytes that the clip begins with, at its size; empty where no image was given.
        video_sha256: Of the RGB bytes of the clip that it started from, likewise.
        strength: Of num_inference_steps, the part that ran on that clip; 0 where none was given.
        warnings: Those issued while it was made.
    """

    bundle: str = ""
    vidrt_version: str = ""
    backend: str = ""
    device: str = ""
    variants: dict[str, str] = field(default_factory=dict)
    prompts_fixed_by: str = ""
    prompt: str = ""
    negative_prompt: str = ""
    image_sha256: str = ""
    video_sha256: str = ""
    strength: float = 0.0
    seed: int = 0
    num_inference_steps: int = 0
    guidance_scale: float = 0.0
    scheduler: str = ""
    step_cache: float = 0.0
    skipped_steps: list[int] = field(default_factory=list)
    guidance: str = ""
    residency: str = ""
    decode_chunk: int = 0
    tiles: PlannedTiles = field(default_factory=PlannedTiles)
    arena_bytes: int = 0
    warnings: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


class Video:
    """A clip.

    Args:
        frames: (F, H, W, 3) RGB, uint8 or float32 in [0,1] (docs/frames.md); None where they were not kept.
        fps: Frames per second.
        metadata: How it was made.
        timings: How long that took.

    Raises:
        InvalidArgument: If frames or fps are not what they must be.
    """

    def __init__(
        self,
        frames: Frames | None,
        fps: float,
        metadata: VideoMetadata | None = None,
        timings: Timings | None = None,
    ) -> None:
        if frames is not None and (
            frames.dtype not in (np.uint8, np.float32) or frames.ndim != 4 or frames.shape[3] != 3 or not frames.size
        ):
            raise InvalidArgument(f"frames must be (F, H, W, 3) uint8 or float32, got {frames.shape} {frames.dtype}.")
        if not (math.isfinite(fps) and fps > 0):
            raise InvalidArgument(f"fps must be a positive number, got {fps}.")
        self._frames = frames
        self.fps = fps
        self.metadata = metadata if metadata is not None else VideoMetadata()
        self.timings = timings if timings is not None else Timings()

    @classmethod
    def from_core(cls, video: _core.Video, prompts_fixed_by: str = "") -> Video:
        """Take over the core's result. The frames are a read-only view of its memory."""
        names = VideoMetadata.__dataclass_fields__.keys() - {"prompts_fixed_by", "tiles"}
        told = {name: getattr(video.metadata, name) for name in names}
        tiles = PlannedTiles.from_core(video.metadata.tiles)
        metadata = VideoMetadata(**told, tiles=tiles, prompts_fixed_by=prompts_fixed_by)
        timings = Timings(**{name: getattr(video.timings, name) for name in Timings.__dataclass_fields__})
        return cls(video.frames, video.fps, metadata, timings)

    @property
    def frames(self) -> Frames:
        """(F, H, W, 3) RGB of the output type. Raises InvalidArgument where the generation did not keep them."""
        if self._frames is None:
            raise InvalidArgument("the frames of this video were not kept (keep_frames=False); take them in on_frames.")
        return self._frames

    def to_uint8(self) -> Video:
        """The clip with uint8 frames, which formats of 8 bits hold: 255 times the floats, rounded with ties to even.

        Raises:
            InvalidArgument: If the frames were not kept, or floats do not lie in [0,1].
        """
        return Video(_bytes_of(self.frames), self.fps, self.metadata, self.timings)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the clip: .mp4 (H.264), .webm (VP9), .gif, .y4m, .npy, or PNG files in a folder (no suffix).

        float32 frames are written to .npy alone; to_uint8() is the clip that the others take.

        The file appears under its name only when it is whole; an existing file is replaced, an existing folder only if
        it is empty. MP4 and WebM need PyAV (the extra `video`), whose wheels contain GPL encoders.

        Raises:
            InvalidArgument: If the suffix is unknown or the format cannot hold these frames, their size or frame rate.
            BackendError: If the format needs a package that is not installed.
            IoError: If the file cannot be written.
        """
        frames = self.frames
        # A clip of the user's own making has nothing to say about itself.
        metadata = {} if self.metadata == VideoMetadata() else self.metadata.to_dict()
        clip = ClipFormat(frames.shape[1], frames.shape[2], self.fps, metadata, str(frames.dtype))
        with open_writer(path, clip) as writer:
            writer.write(frames)
        return Path(path)

    def contact_sheet(self, columns: int | None = None) -> Image:
        """Draw all frames in reading order on one image; None makes the grid about as wide as it is high."""
        from PIL import Image

        frames = _bytes_of(self.frames)
        count, height, width, _ = frames.shape
        columns = math.ceil(math.sqrt(count * height / width)) if columns is None else columns
        if not columns >= 1:
            raise InvalidArgument(f"columns must be at least 1, got {columns}.")
        columns = min(columns, count)
        rows = math.ceil(count / columns)
        sheet = np.zeros((rows * height, columns * width, 3), np.uint8)
        for index, frame in enumerate(frames):
            row, column = divmod(index, columns)
            sheet[row * height : (row + 1) * height, column * width : (column + 1) * width] = frame
        return Image.fromarray(sheet)

    def _repr_html_(self) -> str:
        """Show the clip in a notebook: a video where PyAV is installed, else a GIF."""
        caption = html.escape(self.metadata.prompt, quote=True)
        try:
            source = f"data:video/mp4;base64,{self._encoded('.mp4')}"
            return f'<video src="{source}" title="{caption}" controls autoplay loop muted></video>'
        except (BackendError, InvalidArgument):
            # No PyAV, or a size that H.264 cannot hold.
            return f'<img src="data:image/gif;base64,{self._encoded(".gif")}" alt="{caption}">'

    def _encoded(self, suffix: str) -> str:
        with tempfile.TemporaryDirectory() as folder:
            return base64.b64encode(self.to_uint8().save(Path(folder) / f"clip{suffix}").read_bytes()).decode()

    def __repr__(self) -> str:
        size = "frames not kept" if self._frames is None else "{}x{}x{}".format(*self._frames.shape[:3])
        return f"Video({size}, fps={self.fps:g}, seed={self.metadata.seed}, prompt={self.metadata.prompt!r})"


def _bytes_of(frames: Frames) -> npt.NDArray[np.uint8]:
    if frames.dtype == np.uint8:
        return cast("npt.NDArray[np.uint8]", frames)
    if not (frames.min() >= 0 and frames.max() <= 1):  # NaN is neither
        raise InvalidArgument(
            f"float32 frames must lie in [0,1], got values from {frames.min():g} to {frames.max():g}; "
            "clip them with numpy.clip(frames, 0, 1)."
        )
    levels: npt.NDArray[np.uint8] = np.rint(frames * np.float32(255)).astype(np.uint8)
    return levels
