"""Images that videos begin with: every mode and orientation as RGB of the video's size, every bad file one error."""

import io
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import vidrt
from vidrt.engine.image import fit_size, fit_to_bundle

SIDE = SimpleNamespace(min=32, max=128, step=16)
MANIFEST = SimpleNamespace(height=SIDE, width=SIDE, defaults=SimpleNamespace(height=64, width=64))
ORIENTATION = 0x0112  # the EXIF tag
TURNED_LEFT, UPSIDE_DOWN = 6, 3  # of a picture that has to be turned by so much


def fit(image, height=None, width=None):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return fit_to_bundle(image, MANIFEST, height, width)


def gradient(height=48, width=64):
    """Red grows to the right, green downwards."""
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0] = np.linspace(0, 250, width)
    image[..., 1] = np.linspace(0, 250, height)[:, None]
    return image


def close(a, b, most=2):
    return np.abs(a.astype(int) - b.astype(int)).max() <= most


def test_an_image_of_the_videos_size_stays_as_it_is():
    image = gradient()
    np.testing.assert_array_equal(fit(image, 48, 64), image)
    np.testing.assert_array_equal(fit(Image.fromarray(image), 48, 64), image)
    assert not fit(image[:, ::-1], 48, 64)[0, -1].any()  # strided


def test_the_image_is_scaled_to_cover_and_cut_on_both_sides_alike():
    image = np.zeros((100, 300, 3), np.uint8)
    image[:, 100:200] = 255  # what a square of the middle shows
    square = fit(image, 64, 64)
    assert square.shape == (64, 64, 3)
    assert square[:, 1:-1].min() > 250  # at the edges Lanczos sees what is cut
    wide = fit(image, 32, 96)  # the whole: nothing is cut
    assert wide[16, 10].max() == 0
    assert wide[16, 48].min() == 255


@pytest.mark.parametrize(
    ("size", "given", "expected"),
    [
        ((64, 64), (None, None), (64, 64)),
        ((1000, 1000), (None, None), (64, 64)),
        ((300, 400), (None, None), (48, 64)),  # 55.4 and 73.9, each down to a step
        ((1600, 400), (None, None), (128, 32)),
        ((4000, 4), (None, None), (128, 32)),  # no side leaves the limits
        ((300, 400), (96, None), (96, 128)),
        ((300, 400), (None, 80), (48, 80)),
        ((300, 400), (33, 1000), (33, 1000)),  # what is given stays, for the core to refuse
    ],
)
def test_sizes_that_are_not_given_follow_from_the_image(size, given, expected):
    assert fit_size(MANIFEST, *size, *given) == expected


@pytest.mark.parametrize("mode", ["RGB", "RGBX", "YCbCr", "HSV", "CMYK", "P"])
def test_colour_modes_become_rgb(mode):
    flat = np.full((48, 64, 3), (200, 100, 50), np.uint8)
    image = Image.fromarray(flat)
    image = image.quantize(4) if mode == "P" else image.convert(mode)
    assert image.mode == mode
    assert close(fit(image, 48, 64), flat, 4)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "I", "I;16", "I;16B"])
def test_grey_modes_become_rgb(mode):
    white = Image.fromarray(np.full((48, 64), 255, np.uint8))
    if mode.startswith("I"):
        values = np.full((48, 64), 65535)
        white = Image.fromarray(values.astype({"I": "<i4", "I;16": "<u2", "I;16B": ">u2"}[mode]))
    else:
        white = white.convert(mode)
    assert white.mode == mode
    assert fit(white, 48, 64).min() == 255


def test_16_bits_become_8_to_the_nearest(tmp_path):
    values = np.linspace(0, 65535, 64).astype(np.uint16)[None].repeat(48, 0)
    Image.fromarray(values).save(tmp_path / "deep.png")
    got = fit(tmp_path / "deep.png", 48, 64)
    np.testing.assert_array_equal(got[..., 0], np.rint(values / 257).astype(np.uint8))
    np.testing.assert_array_equal(got[..., 0], got[..., 2])


def test_transparent_parts_lie_on_white(tmp_path):
    image = np.zeros((48, 64, 4), np.uint8)
    image[:, 32:] = (255, 0, 0, 255)
    for mode in ("RGBA", "PA", "P"):
        path = tmp_path / f"{mode}.png"
        Image.fromarray(image).convert(mode if mode != "PA" else "RGBA").save(path)
        got = fit(path, 48, 64)
        assert got[:, :30].min() == 255, mode
        assert (got[:, 34:] == (255, 0, 0)).all(), mode
    half = Image.fromarray(np.full((48, 64, 4), (0, 0, 0, 51), np.uint8))
    assert (fit(half, 48, 64) == 204).all()


@pytest.mark.parametrize(("tag", "turn"), [(1, 0), (UPSIDE_DOWN, 2), (TURNED_LEFT, 1), (8, 3)])
def test_the_orientation_of_a_camera_is_honoured(tmp_path, tag, turn):
    upright = gradient(64, 64)
    stored = Image.fromarray(np.rot90(upright, turn))
    exif = stored.getexif()
    exif[ORIENTATION] = tag
    stored.save(tmp_path / "photo.jpg", exif=exif, quality=95, subsampling=0)
    assert close(fit(tmp_path / "photo.jpg", 64, 64), upright, 12)


@pytest.mark.parametrize("suffix", ["bmp", "gif", "jpg", "png", "ppm", "tif", "webp"])
def test_files_of_every_format_are_read(tmp_path, suffix):
    flat = np.full((48, 64, 3), (200, 100, 50), np.uint8)
    Image.fromarray(flat).save(tmp_path / f"image.{suffix}")
    assert close(fit(str(tmp_path / f"image.{suffix}"), 48, 64), flat, 6)


def refusal(image, kind=vidrt.InvalidArgument, height=48, width=64):
    with pytest.raises(kind) as caught:
        fit(image, height, width)
    return str(caught.value)


def test_a_file_that_is_no_image_is_refused(tmp_path):
    for name, content in {
        "text.png": b"not an image",
        "empty.jpg": b"",
        "page.eps": b"%!PS-Adobe-3.0 EPSF-3.0\n",
    }.items():
        path = tmp_path / name
        path.write_bytes(content)
        message = refusal(path)
        assert "is no image in BMP, GIF" in message
        assert name in message
    assert "is no file" in refusal(tmp_path)
    assert "cannot be read" in refusal(tmp_path / "absent.png", vidrt.IoError)
    assert "cannot be read" in refusal("nul\0.png", vidrt.IoError)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif", "gif", "bmp"])
def test_a_file_cut_off_anywhere_is_one_error(tmp_path, suffix):
    stream = io.BytesIO()
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8))
    image.save(stream, {"jpg": "JPEG", "tif": "TIFF"}.get(suffix, suffix))
    whole = stream.getvalue()
    path = tmp_path / f"cut.{suffix}"
    for share in (0.02, 0.3, 0.6, 0.9):
        path.write_bytes(whole[: int(len(whole) * share)])
        assert str(path) in refusal(path)


def test_damaged_bytes_are_one_error_or_an_image(tmp_path):
    stream = io.BytesIO()
    Image.fromarray(gradient()).save(stream, "PNG")
    whole = bytearray(stream.getvalue())
    path = tmp_path / "damaged.png"
    random = np.random.default_rng(1)
    for _ in range(60):
        damaged = whole.copy()
        for place in random.integers(0, len(whole), 3):
            damaged[place] ^= int(random.integers(1, 256))
        path.write_bytes(damaged)
        try:
            assert fit(path, 48, 64).shape == (48, 64, 3)
        except vidrt.InvalidArgument as error:
            assert "damaged.png" in str(error)  # noqa: PT017


def png_header(width, height):
    """A PNG that says only how large it is."""
    import struct
    import zlib

    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    data = b"IDAT" + zlib.compress(b"\0")
    return b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", len(data) - 4) + data + struct.pack(">I", zlib.crc32(data))


@pytest.mark.parametrize(("width", "height"), [(8193, 8192), (10000, 9000), (60000, 60000)])
def test_a_decompression_bomb_is_refused_by_its_header(tmp_path, width, height):
    path = tmp_path / "bomb.png"
    path.write_bytes(png_header(width, height))
    assert "has too many pixels" in refusal(path)


def test_a_huge_file_is_refused_unread(tmp_path):
    path = tmp_path / "huge.png"
    with path.open("wb") as file:
        file.truncate(2**28 + 1)
    assert "268435457 bytes" in refusal(path)


def test_several_pictures_in_a_file_are_refused(tmp_path):
    frames = [Image.fromarray(gradient()), Image.fromarray(gradient()[::-1])]
    for suffix in ("gif", "webp", "tif", "png"):
        path = tmp_path / f"moving.{suffix}"
        frames[0].save(path, save_all=True, append_images=frames[1:])
        assert "holds 2 pictures" in refusal(path)


@pytest.mark.parametrize(
    ("image", "says"),
    [
        (np.zeros((4, 4), np.uint8), r"(H, W, 3) uint8 RGB, got (4, 4) uint8"),
        (np.zeros((4, 4, 4), np.uint8), "got (4, 4, 4) uint8"),
        (np.zeros((4, 4, 3), np.float32), "got (4, 4, 3) float32"),
        (np.zeros((0, 4, 3), np.uint8), "got (0, 4, 3) uint8"),
        (7, "got int"),
        (b"bytes", "got bytes"),
        (Image.new("F", (4, 4)), "floating-point values of unknown range"),
        (Image.fromarray(np.full((4, 4), 70000, np.int32)), "values outside 0 to 65535"),
        (Image.new("RGB", (0, 4)), "no pixels"),
    ],
)
def test_what_is_no_image_says_what_is_expected(image, says):
    assert says in refusal(image)


def test_sizes_that_cannot_be_are_refused():
    assert "1 or more" in refusal(gradient(), height=0)


def test_a_path_is_taken_in_every_form(tmp_path):
    Image.fromarray(gradient()).save(tmp_path / "image.png")
    for path in (tmp_path / "image.png", str(tmp_path / "image.png"), Path(tmp_path, "image.png")):
        np.testing.assert_array_equal(fit(path, 48, 64), gradient())
