"""Clips that a video starts from: which files are read, and what becomes of their frames."""

import builtins

import numpy as np
import pytest

import vidrt
from vidrt.engine.image import fit_to_bundle
from vidrt.engine.video_input import fit_clip

# The matrices of a track in MP4 that is to be shown as it is, and turned: x and y of each basis vector, 16.16.
UPRIGHT = bytes.fromhex("00010000 00000000 00000000 00000000 00010000 00000000 00000000 00000000 40000000")
TURNED = bytes.fromhex("00000000 00010000 00000000 ffff0000 00000000 00000000 00000000 00000000 40000000")
WHOLE = {"height": 64, "width": 96}


@pytest.fixture(scope="module")
def manifest(pocket_bundle):
    return vidrt.Bundle(pocket_bundle).manifest


@pytest.fixture
def clip():
    """Five frames, 64x96, of grey with a red square that moves."""
    frames = np.full((5, 64, 96, 3), 60, np.uint8)
    for index in range(5):
        frames[index, 8:24, 8 * index : 8 * index + 24] = (220, 20, 20)
    return frames


def fitted(video, manifest, **settings):
    return fit_clip(vidrt.GenerateOptions("a", video=video, **settings), manifest)


def test_an_array_of_the_videos_size_stays_as_it_is(manifest, clip):
    options = fitted(clip, manifest, **WHOLE)
    assert (options.num_frames, options.height, options.width, options.fps) == (5, 64, 96, None)
    np.testing.assert_array_equal(options.video, clip)
    again = fit_clip(options, manifest)
    np.testing.assert_array_equal(again.video, clip)


def test_frames_are_scaled_and_cut_as_images(manifest, clip):
    options = fitted(clip, manifest, width=48)
    assert options.video.shape == (5, 32, 48, 3)
    for frame, given in zip(options.video, clip, strict=True):
        np.testing.assert_array_equal(frame, fit_to_bundle(given, manifest, 32, 48))
    assert fitted(clip, manifest).video.shape == (5, 48, 64, 3)  # of the bundle's area, at the clip's aspect ratio
    assert fitted(clip[:, :, ::-1], manifest, width=48, height=48).video.shape == (5, 48, 48, 3)


@pytest.mark.parametrize("suffix", ["y4m", "mp4", "webm", "gif"])
def test_a_file_is_its_frames_and_its_rate(manifest, clip, tmp_path, suffix):
    vidrt.Video(clip, 12.5).save(tmp_path / f"clip.{suffix}")
    for path in (tmp_path / f"clip.{suffix}", str(tmp_path / f"clip.{suffix}")):
        options = fitted(path, manifest, **WHOLE)
        assert options.video.shape == clip.shape
        assert np.abs(options.video.astype(int) - clip).mean() < 4  # colour is stored at half size, and lossily
        assert options.fps == pytest.approx(12.5)
        assert fitted(path, manifest, fps=5.0).fps == 5.0


def test_a_clip_that_a_telephone_took_upright_is_turned(manifest, clip, tmp_path):
    vidrt.Video(clip, 8).save(tmp_path / "clip.mp4")
    content = (tmp_path / "clip.mp4").read_bytes()
    movie, track, rest = content.split(UPRIGHT)  # that of the movie stays
    (tmp_path / "turned.mp4").write_bytes(movie + UPRIGHT + track + TURNED + rest)
    upright = fitted(tmp_path / "clip.mp4", manifest, **WHOLE).video
    turned = fitted(tmp_path / "turned.mp4", manifest, height=96, width=64).video
    np.testing.assert_array_equal(turned, np.rot90(upright, -1, axes=(1, 2)))  # clockwise, x to y


@pytest.mark.parametrize(
    ("shape", "dtype"), [((5, 64, 96), np.uint8), ((5, 64, 96, 4), np.uint8), ((0, 64, 96, 3), np.uint8)]
)
def test_an_array_that_is_no_clip_is_refused(manifest, shape, dtype):
    with pytest.raises(vidrt.InvalidArgument, match=r"video must be \(F, H, W, 3\) uint8 RGB, got \("):
        fitted(np.zeros(shape, dtype), manifest)
    with pytest.raises(vidrt.InvalidArgument, match="float32"):
        fitted(np.zeros((5, 64, 96, 3), np.float32), manifest)
    with pytest.raises(vidrt.InvalidArgument, match=r"a file or .* got list"):
        fitted([], manifest)


def test_a_clip_of_another_length_is_refused_before_all_of_it_is_read(manifest, clip, tmp_path):
    with pytest.raises(vidrt.InvalidArgument, match="video has 5 frames, but num_frames is 9"):
        fitted(clip, manifest, num_frames=9)
    vidrt.Video(clip, 8).save(tmp_path / "clip.y4m")
    with pytest.raises(vidrt.InvalidArgument, match=r"clip\.y4m has more than 4 frames"):
        fitted(tmp_path / "clip.y4m", manifest, num_frames=4)
    longest = np.broadcast_to(clip[:1], (manifest.num_frames.max + 1, *clip.shape[1:]))
    with pytest.raises(vidrt.InvalidArgument, match=f"more than {manifest.num_frames.max} frames"):
        fitted(longest, manifest, height=32, width=48)


def test_bad_files_are_one_error(manifest, clip, tmp_path):
    vidrt.Video(clip, 8).save(tmp_path / "clip.mp4")
    whole = (tmp_path / "clip.mp4").read_bytes()
    cases = {
        "text.mp4": b"no video",
        "empty.mp4": b"",
        "cut.mp4": whole[: len(whole) // 2],
        "list.m3u8": b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nclip.mp4\n#EXT-X-ENDLIST\n",
        "list.txt": b"ffconcat version 1.0\nfile clip.mp4\n",
    }
    for name, content in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(vidrt.InvalidArgument, match=rf"{name} cannot be read as a video|{name} has no"):
            fitted(tmp_path / name, manifest)
    with pytest.raises(vidrt.IoError, match=r"absent\.mp4 cannot be read"):
        fitted(tmp_path / "absent.mp4", manifest)
    with pytest.raises(vidrt.InvalidArgument, match="is no file; expected a video"):
        fitted(tmp_path, manifest)


def test_a_frame_of_too_many_pixels_is_refused_by_the_files_header(manifest, tmp_path):
    (tmp_path / "huge.y4m").write_bytes(b"YUV4MPEG2 W20000 H20000 F8:1 Ip C420jpeg\nFRAME\n")
    with pytest.raises(vidrt.InvalidArgument, match=r"huge\.y4m has too many pixels \(20000x20000\)|cannot be read"):
        fitted(tmp_path / "huge.y4m", manifest)


def test_a_file_with_sound_alone_is_refused(manifest, tmp_path):
    av = pytest.importorskip("av")
    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(vidrt.InvalidArgument, match="has no video stream"):
        fitted(tmp_path / "sound.mp4", manifest)


def test_without_pyav_a_file_says_what_to_install(manifest, clip, tmp_path, monkeypatch):
    vidrt.Video(clip, 8).save(tmp_path / "clip.y4m")
    importer = builtins.__import__

    def without_av(name, *rest):
        if name == "av":
            raise ImportError("no av")
        return importer(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without_av)
    with pytest.raises(vidrt.BackendError, match=r"needs PyAV.*vidrt\[video\]"):
        fitted(tmp_path / "clip.y4m", manifest)


def test_a_bundle_that_cannot_encode_a_clip_refuses_it_before_it_is_read(pipe, pocket_bundle, clip):
    for take in (
        lambda: vidrt.VideoToVideoPipeline(pocket_bundle),
        lambda: pipe("a small red circle", video="absent.mp4"),
        lambda: pipe.plan(vidrt.GenerateOptions(video=clip)),
    ):
        with pytest.raises(vidrt.InvalidArgument, match="a VAE of the form causal"):
            take()
    with pytest.raises(vidrt.InvalidArgument, match=r"got a strength of 0\.5, but no video"):
        pipe("a small red circle", strength=0.5)
    with pytest.raises(vidrt.InvalidArgument, match="strength must be a number"):
        pipe("a small red circle", strength="half")
    with pytest.raises(vidrt.InvalidArgument, match="strength must be finite, got nan"):
        pipe("a small red circle", strength=float("nan"))
