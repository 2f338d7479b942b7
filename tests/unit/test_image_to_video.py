"""Videos that begin with an image, over the shipped bundle declared to take one: its autoencoder is real.

Its denoiser was never trained for it, so that only the first frame is known.
"""

import hashlib
import json
import shutil

import numpy as np
import pytest
from PIL import Image

import vidrt

PROMPT = "a small red circle moving left"


@pytest.fixture(scope="session")
def image_bundle(pocket_bundle, tmp_path_factory):
    path = tmp_path_factory.mktemp("image") / "bundle"
    shutil.copytree(pocket_bundle, path)
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["image_conditioning"] = "first_latent_frame"
    (path / "manifest.json").write_text(json.dumps(manifest))
    return path


@pytest.fixture(scope="session")
def image_pipe(image_bundle):
    return vidrt.ImageToVideoPipeline(image_bundle, threads=1)


@pytest.fixture
def picture():
    """A large blue square on grey, (32, 48, 3)."""
    image = np.full((32, 48, 3), 40, np.uint8)
    image[8:24, 12:36] = (30, 60, 220)
    return image


@pytest.fixture
def short(tiny):
    return {name: value for name, value in tiny.items() if name not in ("height", "width")} | {
        "height": 32,
        "width": 48,
    }


def psnr(a, b):
    return 10 * np.log10(255**2 / np.mean((a.astype(float) - b) ** 2))


def test_the_video_begins_with_the_image(image_pipe, short, unwarned, picture):
    stages = []
    video = image_pipe(image=picture, prompt=PROMPT, **short, **unwarned, on_stage=stages.append)
    assert psnr(video.frames[0], picture) > 22  # through the autoencoder, however noisy the rest
    plain = image_pipe.bundle.path
    text = vidrt.TextToVideoPipeline(plain, threads=1)(PROMPT, **short, **unwarned)
    assert psnr(text.frames[0], picture) < 16
    assert "encode_image" in {event.stage for event in stages}
    assert video.metadata.image_sha256 == hashlib.sha256(picture.tobytes()).hexdigest()
    assert "vae_encoder" in video.metadata.variants
    assert video.timings.encode_image > 0
    assert (text.metadata.image_sha256, text.timings.encode_image) == ("", 0)
    assert "vae_encoder" not in text.metadata.variants


def test_a_file_an_image_of_pillows_and_an_array_are_the_same(image_pipe, short, unwarned, picture, tmp_path):
    Image.fromarray(picture).save(tmp_path / "image.png")
    forms = [picture, Image.fromarray(picture), tmp_path / "image.png", str(tmp_path / "image.png")]
    videos = [image_pipe(PROMPT, image=form, **short, **unwarned) for form in forms]
    for video in videos[1:]:
        np.testing.assert_array_equal(video.frames, videos[0].frames)
    text = vidrt.TextToVideoPipeline(image_pipe.bundle, threads=1)
    np.testing.assert_array_equal(text(PROMPT, image=picture, **short, **unwarned).frames, videos[0].frames)
    with image_pipe.stream(PROMPT, image=picture, **short, callbacks=vidrt.Callbacks(on_warning=print)) as stream:
        np.testing.assert_array_equal(np.stack(list(stream)), videos[0].frames)


def test_sizes_follow_from_the_image(image_pipe):
    image = np.zeros((300, 400, 3), np.uint8)
    plan = image_pipe.plan(vidrt.GenerateOptions(image=image, num_frames=9))
    assert (plan.height, plan.width) == (48, 64)
    assert plan.image_conditioning == "first_latent_frame"
    assert {"image", "condition"} <= {tensor.name for tensor in plan.tensors}
    prepared = image_pipe.prepare(vidrt.GenerateOptions(image=image, width=96))
    assert (prepared.height, prepared.width, prepared.image.shape) == (64, 96, (64, 96, 3))
    with pytest.raises(vidrt.InvalidArgument, match="nearest valid: 96, 112"):
        image_pipe.plan(vidrt.GenerateOptions(image=image, width=100))
    with pytest.raises(vidrt.InvalidArgument, match="height must be an integer"):
        image_pipe.plan(vidrt.GenerateOptions(image=image, height=32.5))


def test_a_list_of_prompts_begins_with_one_image(image_pipe, short, unwarned, picture):
    videos = image_pipe([PROMPT, "a green triangle"], image=picture, **short, **unwarned)
    assert all(psnr(video.frames[0], picture) > 22 for video in videos)


def test_an_image_that_is_missing_or_not_taken_is_refused(image_pipe, pipe, pocket_bundle, picture, tmp_path):
    with pytest.raises(vidrt.InvalidArgument, match="got no image; give one"):
        image_pipe(PROMPT)
    for take in (lambda: vidrt.ImageToVideoPipeline(pocket_bundle), lambda: pipe(PROMPT, image=picture)):
        with pytest.raises(vidrt.InvalidArgument, match="image_conditioning none"):
            take()
    with pytest.raises(vidrt.IoError, match=r"absent\.png cannot be read"):
        image_pipe(PROMPT, image=tmp_path / "absent.png")


def test_a_memory_budget_that_forces_one_stage_at_a_time_gives_the_same_video(image_pipe, short, unwarned, picture):
    options = vidrt.GenerateOptions(PROMPT, image=picture, **short)
    expected = image_pipe.generate(options, vidrt.Callbacks(**unwarned))
    plan = image_pipe.plan(options)
    budget = plan.total_bytes
    while plan.residency == "all":
        budget = plan.total_bytes - 1
        plan = vidrt.ImageToVideoPipeline(image_pipe.bundle, memory_budget=budget).plan(options)
    staged = vidrt.ImageToVideoPipeline(image_pipe.bundle, memory_budget=budget, threads=1)
    video = staged.generate(options, vidrt.Callbacks(**unwarned))
    assert video.metadata.residency == "stage_by_stage"
    assert np.abs(video.frames.astype(int) - expected.frames).max() <= 1  # across plans


def test_the_command_makes_a_video_from_an_image(run_vidrt, image_bundle, image_pipe, picture, tmp_path, unwarned):
    Image.fromarray(picture).resize((96, 64)).save(tmp_path / "image.png")
    settings = ["--num-frames", "5", "--steps", "1", "--seed", "7", "--bundle", str(image_bundle)]
    result = run_vidrt("generate", PROMPT, "--image", "image.png", *settings, "--output", "frames")
    assert result.returncode == 0, result.stderr
    assert "begins with image.png, scaled and cut to 64x48" in result.stderr
    assert "encode image" in result.stdout
    frames = sorted((tmp_path / "frames").glob("*.png"))
    video = image_pipe(PROMPT, image=tmp_path / "image.png", num_frames=5, num_inference_steps=1, seed=7, **unwarned)
    np.testing.assert_array_equal(np.asarray(Image.open(frames[0])), video.frames[0])
    result = run_vidrt("generate", PROMPT, "--image", "image.png", *settings, "--json", "--output", "again.gif")
    assert json.loads(result.stdout)["metadata"]["image_sha256"] == video.metadata.image_sha256
    result = run_vidrt("plan", str(image_bundle), "--image", "image.png")
    assert "the first latent frame an image's" in result.stdout


@pytest.mark.parametrize(
    ("content", "bundle", "code", "says"),
    [
        (b"no image", "image", 2, "is no image in"),
        (None, "image", 6, "cannot be read"),
        (b"no image", "pocket", 2, "image_conditioning none"),
    ],
)
def test_the_command_refuses_bad_images_without_a_traceback(
    run_vidrt, image_bundle, pocket_bundle, tmp_path, content, bundle, code, says
):
    if content is not None:
        (tmp_path / "bad.png").write_bytes(content)
    folder = {"image": image_bundle, "pocket": pocket_bundle}[bundle]
    result = run_vidrt("generate", PROMPT, "--image", "bad.png", "--bundle", str(folder), "--output", "clip.gif")
    assert result.returncode == code
    assert says in result.stderr
    assert not (tmp_path / "clip.gif").exists()
