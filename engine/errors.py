"""The exception tree. The classes are the core's own, so that one `except` catches both sides of the border."""

from vidrt._core import (
    BackendError,
    BundleError,
    Cancelled,
    Error,
    InvalidArgument,
    IoError,
    OutOfMemory,
)

__all__ = [
    "BackendError",
    "BundleError",
    "Cancelled",
    "Error",
    "InvalidArgument",
    "IoError",
    "OutOfMemory",
    "VidrtWarning",
]


class VidrtWarning(UserWarning):
    """Something a user should know that did not stop the generation: unknown words, a size never measured."""
