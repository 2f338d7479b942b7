"""A still image that a video begins with: read, turned upright, made RGB, brought to the video's size."""

from __future__ import annotations

import math
import os
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from vidrt import _core
from vidrt.engine.errors import InvalidArgument, IoError

ImageInput = str | os.PathLike[str] | Image.Image | npt.NDArray[np.uint8]
"""A file, an image of Pillow's, or (H, W, 3) uint8 RGB."""

_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")  # without those that start other programs, as EPS does
_MAX_FILE_BYTES = 2**28
MAX_PIXELS = 2**26  # 192 MiB as RGB, and below what Pillow itself warns of
_WITH_ALPHA = ("LA", "La", "PA", "RGBA", "RGBa")
_BACKGROUND = (255, 255, 255, 255)
_LEVEL_STEP = 257  # of 16 bits a level of 8


def fit_to_bundle(
    image: ImageInput, manifest: _core.Manifest, height: int | None, width: int | None
) -> npt.NDArray[np.uint8]:
    """Give the pixels that a video of this bundle begins with, (height, width, 3) uint8 RGB.

    The image is turned as its EXIF orientation says, transparent parts lie on white, 16 bits a channel become 8, and
    other colour models become RGB; colour profiles are not applied. It is then scaled to cover the video (Lanczos) and
    cut on both sides alike.

    Args:
        image: A file in BMP, GIF, JPEG, PNG, PPM, TIFF or WebP, an image of Pillow's, or (H, W, 3) uint8 RGB.
        manifest: Of the bundle, whose defaults and limits choose the sizes that are not given.
        height: Pixels; None takes what fits the image, see fit_size().
        width: The same.

    Raises:
        InvalidArgument: If it is no image, damaged, too large, animated or of a mode that has no one meaning in RGB.
        IoError: If the file cannot be read.
    """
    rgb = _from_array(image) if isinstance(image, np.ndarray) else _read(image)
    return cover(rgb, *fit_size(manifest, rgb.height, rgb.width, height, width))


def fit_size(
    manifest: _core.Manifest, image_height: int, image_width: int, height: int | None, width: int | None
) -> tuple[int, int]:
    """Choose height and width of a video that begins with an image: what is given stays.

    Where neither is, the bundle's default area at the image's aspect ratio, each side then the next valid one below, as
    in diffusers' Wan pipelines; where one is, the other follows from the aspect ratio likewise.
    """
    aspect = image_height / image_width
    if height is None and width is None:
        area = manifest.defaults.height * manifest.defaults.width
        return (
            _valid_below(math.sqrt(area * aspect), manifest.height),
            _valid_below(math.sqrt(area / aspect), manifest.width),
        )
    if height is None:
        assert width is not None
        return _valid_below(width * aspect, manifest.height), width
    return height, _valid_below(height / aspect, manifest.width) if width is None else width


def _valid_below(size: float, limit: _core.Limit) -> int:
    """The largest valid size of at most `size`, rounded to pixels first; the smallest where there is none."""
    steps = (min(round(size), limit.max) - limit.min) // limit.step
    return limit.min + max(steps, 0) * limit.step


def _from_array(array: npt.NDArray[np.uint8]) -> Image.Image:
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or not array.size:
        raise InvalidArgument(f"image must be (H, W, 3) uint8 RGB, got {array.shape} {array.dtype}.")
    return Image.fromarray(np.ascontiguousarray(array))


def _read(source: str | os.PathLike[str] | Image.Image) -> Image.Image:
    """The upright image in RGB."""
    if isinstance(source, Image.Image):
        with _faults_of("image"):
            return _to_rgb(ImageOps.exif_transpose(source), "image")
    if not isinstance(source, (str, os.PathLike)):
        raise InvalidArgument(
            f"image must be a file, an image of Pillow's or (H, W, 3) uint8 RGB, got {type(source).__name__}."
        )
    path = Path(source)
    check_file(path, "an image", _MAX_FILE_BYTES)
    with _faults_of(str(path)), _open(path) as opened:
        # Only the header has been read by now.
        if opened.width * opened.height > MAX_PIXELS:
            raise _too_many_pixels(path, f"{opened.width}x{opened.height}")
        frames = getattr(opened, "n_frames", 1)
        if frames > 1 and opened.format != "MPO":  # of a camera: the picture first, then previews of it
            raise InvalidArgument(f"{path} holds {frames} pictures; expected a still image: save one of them alone.")
        return _to_rgb(ImageOps.exif_transpose(opened), str(path))


def check_file(path: Path, what: str, most_bytes: int) -> None:
    """Raise IoError where a file cannot be read, InvalidArgument where it is none or has more than `most_bytes`."""
    try:
        status = path.stat()
    except (OSError, ValueError) as error:
        raise IoError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.") from error
    if not stat.S_ISREG(status.st_mode):
        raise InvalidArgument(f"{path} is no file; expected {what}.")
    if status.st_size > most_bytes:
        raise InvalidArgument(
            f"{path} has {status.st_size} bytes; expected {what} of at most {most_bytes}: make it smaller first."
        )


def _open(path: Path) -> Image.Image:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit is lower
        try:
            return Image.open(path, formats=_FORMATS)
        except UnidentifiedImageError:
            raise InvalidArgument(f"{path} is no image in {', '.join(_FORMATS)}; convert it first.") from None
        except Image.DecompressionBombError as error:
            raise _too_many_pixels(path, str(error)) from error


def _too_many_pixels(path: Path, what: str) -> InvalidArgument:
    return InvalidArgument(f"{path} has too many pixels ({what}); expected at most {MAX_PIXELS}: make it smaller.")


@contextmanager
def _faults_of(name: str) -> Iterator[None]:
    """Whatever Pillow's decoders throw at hostile bytes is one error; files that cannot be read stay theirs."""
    try:
        yield
    except (InvalidArgument, MemoryError):
        raise
    except PermissionError as error:
        raise IoError(f"{name} cannot be read: {error.strerror}.") from error
    except Exception as error:
        raise InvalidArgument(f"{name} cannot be read as an image, it may be damaged: {error}") from error


def _to_rgb(image: Image.Image, name: str) -> Image.Image:
    if not (image.width and image.height):
        raise InvalidArgument(f"{name} has no pixels; expected an image.")
    if image.mode == "I" or image.mode.startswith("I;16"):
        return _from_16_bits(image, name)
    if image.mode == "F":
        raise InvalidArgument(f"{name} holds floating-point values of unknown range; save it with 8 bits a channel.")
    if image.mode in _WITH_ALPHA or "transparency" in image.info:
        with_alpha = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, _BACKGROUND), with_alpha).convert("RGB")
    return image.convert("RGB")


def _from_16_bits(image: Image.Image, name: str) -> Image.Image:
    """Grey values of 0 to 65535, which Pillow's own conversion cuts off at 255."""
    if "transparency" in image.info:
        raise InvalidArgument(f"{name} has a transparent grey of 16 bits; put it on a background first.")
    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > 0xFFFF:
        raise InvalidArgument(f"{name} holds values outside 0 to 65535; save it with 8 bits a channel.")
    return Image.fromarray(((values + _LEVEL_STEP // 2) // _LEVEL_STEP).astype(np.uint8)).convert("RGB")


def cover(image: Image.Image, height: int, width: int) -> npt.NDArray[np.uint8]:
    """Scale to cover height and width (Lanczos), and cut on both sides alike: (height, width, 3) uint8.

    Raises:
        InvalidArgument: If either is less than 1.
    """
    if height < 1 or width < 1:
        raise InvalidArgument(f"height and width must be 1 or more, got {height} and {width}.")
    fitted = ImageOps.fit(image, (width, height), Image.Resampling.LANCZOS)
    return cast("npt.NDArray[np.uint8]", np.asarray(fitted))
