"""Video files: each format read back, whole or not there at all."""

import json
import os
import re
import resource
import stat
import sys

import numpy as np
import pytest
from PIL import Image

import vidrt
from vidrt.engine.writers import ClipFormat, open_writer, partial_path

FORMATS = ["clip.mp4", "clip.webm", "clip.gif", "clip.y4m", "clip.npy", "clip"]
FPS = 8


@pytest.fixture
def frames():
    """A bright square that moves over a ramp: (9, 48, 64, 3)."""
    clip = np.zeros((9, 48, 64, 3), np.uint8)
    clip[..., 1] = np.arange(48, dtype=np.uint8)[:, None] * 4
    for index, frame in enumerate(clip):
        frame[16:32, 5 * index : 5 * index + 16] = (240, 40, 20)
    return clip


def read_with_av(path, matrix):
    import av

    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = [frame.to_ndarray(format="rgb24", src_colorspace=matrix) for frame in container.decode(video=0)]
        return np.array(frames), stream, dict(container.metadata)


def psnr(first, second):
    error = np.mean((first.astype(float) - second) ** 2)
    return 10 * np.log10(255**2 / error)


def test_mp4_is_h264_that_a_browser_plays(frames, tmp_path):
    path = vidrt.Video(frames, FPS).save(tmp_path / "clip.mp4")
    read, stream, _ = read_with_av(path, "ITU709")
    assert stream.codec_context.name == "h264"
    assert stream.codec_context.pix_fmt == "yuv420p"
    assert stream.average_rate == FPS
    assert read.shape == frames.shape
    assert psnr(read, frames) > 28  # colour at half size blurs the square's edges
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat"), "the index must come first for playing while it loads"


def test_mp4_keeps_flat_colours_exactly_enough(tmp_path):
    for colour in ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (128, 64, 32)):
        flat = np.full((3, 32, 32, 3), colour, np.uint8)
        read, _, _ = read_with_av(vidrt.Video(flat, FPS).save(tmp_path / "clip.mp4"), "ITU709")
        assert np.abs(read.astype(int) - flat).max() <= 4, colour


def test_webm_is_vp9(frames, tmp_path):
    read, stream, _ = read_with_av(vidrt.Video(frames, FPS).save(tmp_path / "clip.webm"), "ITU709")
    assert stream.codec_context.name in ("vp9", "libvpx-vp9")
    assert read.shape == frames.shape
    assert psnr(read, frames) > 28


def test_y4m_is_read_by_ffmpeg_within_rounding(frames, tmp_path):
    read, stream, _ = read_with_av(vidrt.Video(frames, FPS).save(tmp_path / "clip.y4m"), "ITU601")
    assert stream.average_rate == FPS
    assert np.abs(read.astype(int) - frames).max() <= 3


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_npy_is_the_array_that_numpy_reads(frames, tmp_path, dtype):
    clip = frames if dtype == np.uint8 else (frames / np.float32(250)).clip(0, 1)
    read = np.load(vidrt.Video(clip, FPS).save(tmp_path / "clip.npy"), allow_pickle=False)
    assert read.dtype == dtype
    np.testing.assert_array_equal(read, clip)
    mapped = np.load(tmp_path / "clip.npy", mmap_mode="r")  # which wants the data aligned
    assert mapped.offset % 64 == 0


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "clip.npy"])
def test_formats_of_8_bits_refuse_floats_and_take_them_rounded(frames, tmp_path, name):
    clip = (frames / np.float32(255)).clip(0, 1)
    with pytest.raises(vidrt.InvalidArgument, match=r"cannot hold float32 frames.*Write \.npy, or set output_type"):
        vidrt.Video(clip, FPS).save(tmp_path / name)
    assert list(tmp_path.iterdir()) == []
    rounded = vidrt.Video(clip, FPS).to_uint8()
    np.testing.assert_array_equal(rounded.frames, frames)
    assert rounded.save(tmp_path / name).exists()


def test_gif_repeats_forever_with_the_right_length_and_nearly_the_right_colours(frames, tmp_path):
    with Image.open(vidrt.Video(frames, FPS).save(tmp_path / "clip.gif")) as image:
        assert image.info["loop"] == 0
        durations, read = [], []
        for index in range(image.n_frames):
            image.seek(index)
            durations.append(image.info["duration"])
            read.append(np.asarray(image.convert("RGB")))
    # 8 frames a second are 12.5 hundredths each: the rounding evens out.
    assert set(durations) == {120, 130}
    assert abs(sum(durations) - 1000 * len(frames) / FPS) <= 5
    assert np.abs(np.array(read).astype(int) - frames).max() <= 4


def test_still_parts_of_a_gif_stay_still(frames, tmp_path):
    with Image.open(vidrt.Video(frames, FPS).save(tmp_path / "clip.gif")) as image:
        read = []
        for index in range(image.n_frames):
            image.seek(index)
            read.append(np.asarray(image.convert("RGB"))[40:])
    np.testing.assert_array_equal(np.array(read), np.array([read[0]] * len(read)))


def test_a_gif_of_one_frame_is_a_gif(frames, tmp_path):
    with Image.open(vidrt.Video(frames[:1], FPS).save(tmp_path / "clip.gif")) as image:
        assert image.size == (64, 48)


def test_png_files_hold_the_very_bytes(frames, tmp_path):
    folder = vidrt.Video(frames, FPS).save(tmp_path / "clip")
    names = sorted(path.name for path in folder.iterdir())
    assert names == [f"frame_{index:05d}.png" for index in range(len(frames))]
    for name, frame in zip(names, frames, strict=True):
        np.testing.assert_array_equal(np.asarray(Image.open(folder / name)), frame)


@pytest.mark.parametrize("name", ["clip.mp4", "clip.webm", "clip.gif", "clip/frame_00000.png"])
def test_the_file_says_how_it_was_made(frames, tmp_path, name):
    metadata = vidrt.VideoMetadata(prompt="ein roter Kreis – größer", seed=2**64 - 1)
    vidrt.Video(frames, FPS, metadata).save(tmp_path / name.split("/")[0])
    if name.endswith(("mp4", "webm")):
        tags = {key.lower(): value for key, value in read_with_av(tmp_path / name, "ITU709")[2].items()}
        assert tags["title"] == metadata.prompt
        comment = tags["comment"]
    else:
        with Image.open(tmp_path / name) as image:
            comment = image.info["Comment" if name.endswith("png") else "comment"]
    if isinstance(comment, bytes):
        comment = comment.decode()
    assert json.loads(comment) == metadata.to_dict()


@pytest.mark.parametrize("name", ["clip.gif", "clip.y4m", "clip"])
def test_odd_sizes_are_kept_where_the_format_can(frames, tmp_path, name):
    odd = frames[:, :47, :63]
    path = vidrt.Video(odd, FPS).save(tmp_path / name)
    if name == "clip.y4m":
        shape = read_with_av(path, "ITU601")[0].shape[1:3]
    else:
        with Image.open(path / "frame_00000.png" if name == "clip" else path) as image:
            shape = image.size[::-1]
    assert shape == (47, 63)


@pytest.mark.parametrize("name", ["clip.mp4", "clip.webm"])
def test_odd_sizes_are_refused_where_it_cannot_naming_the_nearest(frames, tmp_path, name):
    with pytest.raises(vidrt.InvalidArgument, match=r"even width and height, got 63x47; nearest: 64x48"):
        vidrt.Video(frames[:, :47, :63], FPS).save(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["clip.avi", "clip.mov", "clip.", "clip.mp4.txt", ".mp4", ".", "..", ""])
def test_an_unknown_suffix_names_the_known(frames, tmp_path, name, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(vidrt.InvalidArgument, match=r"\.mp4, \.webm, \.gif, \.y4m"):
        vidrt.Video(frames, FPS).save(name)
    assert list(tmp_path.iterdir()) == []


def test_suffixes_are_known_in_capitals(frames, tmp_path):
    assert vidrt.Video(frames, FPS).save(tmp_path / "CLIP.MP4").is_file()


@pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf")])
def test_a_frame_rate_that_is_none_is_refused(frames, fps, tmp_path):
    with pytest.raises(vidrt.InvalidArgument, match="fps must be a positive number"):
        open_writer(tmp_path / "clip.gif", ClipFormat(48, 64, fps))
    with pytest.raises(vidrt.InvalidArgument, match="fps must be a positive number"):
        vidrt.Video(frames, fps)


def test_a_frame_rate_gif_cannot_show_is_refused(frames, tmp_path):
    with pytest.raises(vidrt.InvalidArgument, match="at most 50"):
        vidrt.Video(frames, 60).save(tmp_path / "clip.gif")


def test_the_frame_rate_of_television_is_exact(frames, tmp_path):
    _, stream, _ = read_with_av(vidrt.Video(frames, 30000 / 1001).save(tmp_path / "clip.mp4"), "ITU709")
    assert (stream.average_rate.numerator, stream.average_rate.denominator) == (30000, 1001)


@pytest.mark.parametrize("name", FORMATS)
def test_an_existing_file_stays_until_the_new_one_is_whole(frames, tmp_path, name):
    path = tmp_path / name
    if name != "clip":
        path.write_bytes(b"old")

    def interrupted():
        with open_writer(path, ClipFormat(48, 64, FPS)) as writer:
            writer.write(frames[:3])
            raise RuntimeError("interrupted")

    with pytest.raises(RuntimeError, match="interrupted"):
        interrupted()
    assert [entry.name for entry in tmp_path.iterdir()] == ([] if name == "clip" else [name])
    if name != "clip":
        assert path.read_bytes() == b"old"
        vidrt.Video(frames, FPS).save(path)
        assert path.read_bytes() != b"old"


def test_a_folder_with_something_in_it_is_refused_and_an_empty_one_is_used(frames, tmp_path):
    folder = tmp_path / "clip"
    folder.mkdir()
    vidrt.Video(frames, FPS).save(folder)
    with pytest.raises(vidrt.IoError, match="not an empty folder"):
        vidrt.Video(frames, FPS).save(folder)
    assert [entry.name for entry in tmp_path.iterdir()] == ["clip"]


def test_a_folder_under_a_files_name_is_refused(frames, tmp_path):
    (tmp_path / "clip.gif").mkdir()
    with pytest.raises(vidrt.IoError, match="it is a folder"):
        vidrt.Video(frames, FPS).save(tmp_path / "clip.gif")


@pytest.mark.parametrize("name", FORMATS)
def test_a_place_that_cannot_be_written_is_known_before_the_first_frame(tmp_path, name):
    with pytest.raises(vidrt.IoError, match="No such file or directory"):
        open_writer(tmp_path / "missing" / name, ClipFormat(48, 64, FPS))
    (tmp_path / "file").touch()
    with pytest.raises(vidrt.IoError, match="Not a directory"):
        open_writer(tmp_path / "file" / name, ClipFormat(48, 64, FPS))


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("room", [0, 700, 2000])
def test_a_full_disk_is_an_io_error_and_leaves_nothing_behind(frames, tmp_path, name, room):
    noise = np.random.default_rng(0).integers(0, 255, frames.shape, np.uint8)  # does not compress
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        with pytest.raises(vidrt.IoError, match=f"cannot write .*{name}: File too large") as caught:
            vidrt.Video(noise, FPS).save(tmp_path / name)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    del caught
    assert list(tmp_path.iterdir()) == []


def test_files_follow_the_umask(frames, tmp_path):
    old = os.umask(0o027)
    try:
        path = vidrt.Video(frames, FPS).save(tmp_path / "clip.gif")
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.parametrize("name", FORMATS)
def test_frames_written_in_pieces_are_the_frames_written_at_once(frames, tmp_path, name):
    whole = vidrt.Video(frames, FPS).save(tmp_path / f"whole-{name}")
    with open_writer(tmp_path / f"pieces-{name}", ClipFormat(48, 64, FPS)) as writer:
        for piece in np.split(frames, [1, 5]):
            writer.write(piece)
    pieces = tmp_path / f"pieces-{name}"
    if name == "clip":
        assert [path.read_bytes() for path in sorted(whole.iterdir())] == [
            path.read_bytes() for path in sorted(pieces.iterdir())
        ]
    elif name in ("clip.mp4", "clip.webm"):  # their encoders and containers do not promise the same bytes twice
        first, second = read_with_av(whole, "ITU709")[0], read_with_av(pieces, "ITU709")[0]
        assert len(first) == len(second) == len(frames)
        assert np.abs(first.astype(int) - second).mean() < 1
    else:
        assert whole.read_bytes() == pieces.read_bytes()


@pytest.mark.parametrize("name", FORMATS)
def test_what_was_written_so_far_can_be_kept_under_another_name(frames, tmp_path, name):
    target = tmp_path / name
    writer = open_writer(target, ClipFormat(48, 64, FPS))
    writer.write(frames[:4])
    kept = writer.close(partial_path(target))
    assert kept.name == re.sub(r"^clip", "clip.partial", name)
    assert list(tmp_path.iterdir()) == [kept]
    if name == "clip.mp4":
        assert len(read_with_av(kept, "ITU709")[0]) == 4


@pytest.mark.parametrize("name", FORMATS)
def test_a_clip_without_frames_is_refused_and_leaves_nothing(tmp_path, name):
    clip = ClipFormat(48, 64, FPS)
    with pytest.raises(vidrt.InvalidArgument, match="would have no frames"), open_writer(tmp_path / name, clip):
        pass
    assert list(tmp_path.iterdir()) == []


def test_frames_of_another_type_than_the_clips_are_refused(frames, tmp_path):
    with (
        pytest.raises(vidrt.InvalidArgument, match=r"frames must be \(n, 48, 64, 3\) float32, got .* uint8"),
        open_writer(tmp_path / "clip.npy", ClipFormat(48, 64, FPS, output_type="float32")) as writer,
    ):
        writer.write(frames)


def test_frames_of_another_size_are_refused(frames, tmp_path):
    with (
        pytest.raises(vidrt.InvalidArgument, match=r"frames must be \(n, 48, 64, 3\)"),
        open_writer(tmp_path / "clip.gif", ClipFormat(48, 64, FPS)) as writer,
    ):
        writer.write(frames[:, :32])


@pytest.mark.parametrize("name", ["clip.mp4", "clip.webm"])
def test_without_pyav_the_error_names_the_extra_and_the_other_formats(frames, tmp_path, monkeypatch, name):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(vidrt.BackendError, match=r"vidrt\[video\].*\.gif, \.y4m or a folder of PNG"):
        vidrt.Video(frames, FPS).save(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["clip.gif", "clip.y4m", "clip"])
def test_the_other_formats_do_not_need_pyav(frames, tmp_path, monkeypatch, name):
    monkeypatch.setitem(sys.modules, "av", None)
    assert vidrt.Video(frames, FPS).save(tmp_path / name).exists()
