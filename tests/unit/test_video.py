"""The Video as an object."""

import base64
import re
import sys

import numpy as np
import pytest

import vidrt


@pytest.fixture
def video():
    frames = np.arange(6 * 4 * 8 * 3, dtype=np.uint8).reshape(6, 4, 8, 3)
    return vidrt.Video(frames, 8, vidrt.VideoMetadata(prompt='a "red" <circle>', seed=3))


@pytest.mark.parametrize(
    "frames",
    [
        np.zeros((2, 4, 4, 3), np.float64),
        np.zeros((4, 4, 3), np.uint8),
        np.zeros((2, 4, 4, 4), np.uint8),
        np.zeros((0, 4, 4, 3), np.uint8),
    ],
    ids=["float", "one-frame", "alpha", "empty"],
)
def test_frames_of_another_kind_are_refused(frames):
    with pytest.raises(vidrt.InvalidArgument, match=r"frames must be \(F, H, W, 3\) uint8 or float32"):
        vidrt.Video(frames, 8)


def test_float_frames_are_shown_and_rounded_to_the_nearest_level(video):
    floats = vidrt.Video(video.frames / np.float32(255), 8, video.metadata)
    np.testing.assert_array_equal(floats.to_uint8().frames, video.frames)
    assert floats.to_uint8().metadata == video.metadata
    np.testing.assert_array_equal(np.asarray(floats.contact_sheet()), np.asarray(video.contact_sheet()))
    assert "data:" in floats._repr_html_()
    ties = np.full((1, 1, 2, 3), np.float32(0.5))  # 127.5 is between 127 and 128, which is even
    assert (vidrt.Video(ties, 8).to_uint8().frames == 128).all()


@pytest.mark.parametrize("value", [1.001, -0.001, np.nan])
def test_floats_that_are_no_levels_are_not_rounded(value):
    frames = np.full((2, 4, 4, 3), 0.5, np.float32)
    frames[1, 2, 3, 0] = value
    with pytest.raises(vidrt.InvalidArgument, match=r"must lie in \[0,1\], got values from .* numpy.clip"):
        vidrt.Video(frames, 8).to_uint8()


def test_a_contact_sheet_shows_all_frames_in_reading_order(video):
    sheet = np.asarray(video.contact_sheet(columns=4))
    assert sheet.shape == (2 * 4, 4 * 8, 3)
    np.testing.assert_array_equal(sheet[:4, 8:16], video.frames[1])
    np.testing.assert_array_equal(sheet[4:, :8], video.frames[4])
    assert (sheet[4:, 16:] == 0).all()


def test_a_contact_sheet_is_about_as_wide_as_high_unless_told(video):
    assert video.contact_sheet().size == (2 * 8, 3 * 4)
    assert video.contact_sheet(columns=100).size == (6 * 8, 4)
    with pytest.raises(vidrt.InvalidArgument, match="columns must be at least 1"):
        video.contact_sheet(columns=0)


def test_a_notebook_shows_a_video_and_without_pyav_a_gif(video, monkeypatch):
    html = video._repr_html_()
    data = re.fullmatch(r'<video src="data:video/mp4;base64,([^"]*)" title="([^"]*)".*</video>', html)
    assert base64.b64decode(data[1])[4:8] == b"ftyp"
    assert data[2] == "a &quot;red&quot; &lt;circle&gt;"
    monkeypatch.setitem(sys.modules, "av", None)
    data = re.fullmatch(r'<img src="data:image/gif;base64,([^"]*)" alt="[^"]*">', video._repr_html_())
    assert base64.b64decode(data[1]).startswith(b"GIF89a")


def test_its_repr_says_size_and_seed(video):
    assert repr(video) == "Video(6x4x8, fps=8, seed=3, prompt='a \"red\" <circle>')"
