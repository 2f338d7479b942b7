"""What may be asked of a build, and the shapes that come of it."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from vidrt.engine.builder.options import BuildOptions, Range
from vidrt.engine.builder.profile import VideoSizes, module_profile, module_sizes, video_sizes
from vidrt.engine.bundle import Bundle
from vidrt.engine.errors import InvalidArgument


@pytest.fixture(scope="module")
def manifest(pocket_bundle):
    return Bundle(pocket_bundle).manifest


def profile_of(manifest, module, **options):
    sizes = video_sizes(manifest, BuildOptions("tensorrt-rtx", **options))
    return module_profile(manifest, module, manifest.modules[module].variants[-1].inputs, sizes)


def test_a_range_is_a_number_or_three():
    assert Range.parse("height", "64:96:128") == Range(64, 96, 128)
    assert Range.parse("height", "64") == Range(64, 64, 64)
    assert str(Range(64, 96, 128)) == "64:96:128"
    assert str(Range(64, 64, 64)) == "64"


@pytest.mark.parametrize(
    "text", ["", "64:96", "a:b:c", "64:96:128:160", "-1:2:3", "1.5", "96:64:128", "0:1:2", "5:9:8"]
)
def test_anything_else_is_refused_with_what_was_given(text):
    with pytest.raises(InvalidArgument, match="height must") as caught:
        Range.parse("height", text)
    assert repr(text) in str(caught.value)


def test_without_a_wish_the_ranges_are_the_bundles_limits(manifest):
    sizes = video_sizes(manifest, BuildOptions("tensorrt-rtx"))
    assert sizes.height == Range(manifest.height.min, manifest.defaults.height, manifest.height.max)
    assert sizes.num_frames == Range(1, manifest.defaults.num_frames, 257)
    assert sizes.batch is None


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        ({"height": Range(33, 64, 96)}, ["height must be 32 to 128 in steps of 16, got 33", "nearest valid: 32, 48"]),
        ({"width": Range(64, 64, 4096)}, ["width must be", "got 4096", "nearest valid: 128"]),
        ({"num_frames": Range(1, 18, 33)}, ["num_frames must be", "got 18", "nearest valid: 17, 21"]),
        ({"num_frames": Range(5, 5, 9), "decode_chunk": Range(1, 2, 3)}, ["decode_chunk must be 1 to 2", "got 1:2:3"]),
    ],
)
def test_a_range_outside_the_limits_names_the_nearest_sizes(manifest, options, parts):
    with pytest.raises(InvalidArgument) as caught:
        video_sizes(manifest, BuildOptions("tensorrt-rtx", **options))
    for part in parts:
        assert part in str(caught.value)


def test_shapes_follow_the_sizes_of_the_video(manifest):
    sizes = {"height": Range(32, 64, 96), "width": Range(64, 96, 128), "num_frames": Range(1, 17, 33)}
    shapes = profile_of(manifest, "denoiser", **sizes)
    assert shapes["latents"].min == (1, 8, 1, 4, 8)
    assert shapes["latents"].opt == (2, 8, 5, 8, 12)
    assert shapes["latents"].max == (2, 8, 9, 12, 16)
    assert shapes["timestep"].max == (2, 9)
    assert shapes["text_embeds"].min == (1, 24, 128)  # the core pads every prompt to the bundle's length
    following = profile_of(manifest, "vae_decoder_next", **sizes)
    assert following["latents"].max == (1, 8, 8, 12, 16)  # the first of nine latent frames has a graph of its own
    assert following["cache_in_5"].max == (1, 32, 2, 48, 64)
    assert profile_of(manifest, "vae_encoder", **sizes)["image"].opt == (1, 3, 1, 64, 96)


def test_a_batch_counts_for_every_module(manifest):
    for module in manifest.modules:
        shapes = profile_of(manifest, module, batch=Range(1, 3, 4))
        assert {(tensor.min[0], tensor.opt[0], tensor.max[0]) for tensor in shapes.values()} == {(1, 3, 4)}


@pytest.mark.parametrize(
    ("module", "depends"),
    [
        ("text_encoder", {"batch": "1"}),
        ("denoiser", {"height": "32:64:128", "width": "32:64:128", "num_frames": "1:17:257", "batch": "1:2:2"}),
        ("vae_encoder", {"height": "32:64:128", "width": "32:64:128", "batch": "1"}),
        ("vae_decoder_first", {"height": "32:64:128", "width": "32:64:128", "batch": "1"}),
        (
            "vae_decoder_next",
            {"height": "32:64:128", "width": "32:64:128", "decode_chunk": "1:1:8", "batch": "1"},
        ),
    ],
)
def test_a_module_depends_on_the_sizes_of_its_inputs_alone(manifest, module, depends):
    sizes = video_sizes(manifest, BuildOptions("tensorrt-rtx"))
    found = module_sizes(module, manifest.modules[module].variants[-1].inputs, sizes)
    assert {name: str(size) for name, size in found.items()} == depends


@pytest.fixture
def whole():
    """A decoder that takes the whole clip, or parts with two latent frames before and one after."""

    def limit(low, high, step):
        return SimpleNamespace(min=low, max=high, step=step)

    return SimpleNamespace(
        height=limit(8, 64, 8), width=limit(8, 64, 8), num_frames=limit(1, 81, 4), text_length=1,
        vae=SimpleNamespace(
            form="whole", temporal_ratio=4, spatial_ratio=8, single_first_frame=True, receptive_field=(2, 1)
        ),
        defaults=SimpleNamespace(height=16, width=16, num_frames=33),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("chunk", "latent_frames"),
    [
        (None, (1, 9, 21)),
        (Range(1, 4, 6), (1, 7, 9)),
        (Range(20, 20, 20), (1, 21, 21)),  # no more than the clip has
    ],
)
def test_a_decoder_of_form_whole_takes_a_part_with_its_surroundings(whole, chunk, latent_frames):
    sizes = video_sizes(whole, BuildOptions("tensorrt-rtx", decode_chunk=chunk))
    assert sizes.decode_chunk == chunk
    shapes = module_profile(whole, "vae_decoder", [SimpleNamespace(name="latents", shape=("B", "T"))], sizes)
    assert tuple(shape[1] for shape in vars(shapes["latents"]).values()) == latent_frames


def test_a_decoder_that_cannot_take_parts_has_no_chunk(whole):
    whole.vae.receptive_field = None
    with pytest.raises(InvalidArgument, match="whole clip at once"):
        video_sizes(whole, BuildOptions("tensorrt-rtx", decode_chunk=Range(1, 4, 6)))


def test_a_dimension_that_nobody_knows_is_an_error(manifest):
    inputs = [SimpleNamespace(name="latents", shape=("B", "8", "Z*2"))]
    sizes = VideoSizes(Range(32, 32, 32), Range(32, 32, 32), Range(1, 1, 1), None, None)
    with pytest.raises(InvalidArgument, match=r"denoiser: the dimension Z\*2 of latents"):
        module_profile(manifest, "denoiser", inputs, sizes)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"backend": "tensorflow"}, "backend must be one of tensorrt, tensorrt-rtx, got 'tensorflow'"),
        ({"optimization_level": 6}, "optimization_level must be 0 to 5, got 6"),
        ({"workspace_bytes": 0}, "workspace_bytes must be above 0"),
        ({"height": "64"}, "height must be a Range"),
        ({"compute_capabilities": ("89",)}, "a compute capability is written as 8.9, got '89'"),
        ({"backend": "tensorrt", "compute_capabilities": ("8.9",)}, "backend tensorrt builds for the GPU"),
        ({"plugins": (Path("x.so"),)}, "backend tensorrt-rtx has no plugins"),
        ({"version_compatible": True}, "backend tensorrt-rtx has no version_compatible"),
        ({"hardware_compatibility": "ampere_plus"}, "backend tensorrt-rtx has no hardware_compatibility"),
        ({"hardware_compatibility": "all"}, "hardware_compatibility must be one of"),
        ({"backend": "tensorrt", "serialize_plugins": True}, "plugins names none"),
        ({"backend": "tensorrt", "serialize_plugins": True, "plugins": (Path("x.so"),)}, "version_compatible only"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options, message):
    with pytest.raises(InvalidArgument, match=message):
        BuildOptions(**{"backend": "tensorrt-rtx", **options})
