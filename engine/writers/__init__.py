"""Video files: one streaming writer a format, all of which appear under their name only when whole."""

from vidrt.engine.writers.base import ClipFormat, Frames, VideoWriter
from vidrt.engine.writers.formats import open_writer, partial_path

__all__ = ["ClipFormat", "Frames", "VideoWriter", "open_writer", "partial_path"]
