"""The exception tree, as Python sees what C++ throws."""

import pickle

import pytest

import vidrt

CLASSES = [
    vidrt.InvalidArgument,
    vidrt.BundleError,
    vidrt.BackendError,
    vidrt.OutOfMemory,
    vidrt.IoError,
    vidrt.Cancelled,
]


@pytest.mark.parametrize("kind", CLASSES)
def test_every_class_is_an_error_of_vidrt(kind):
    assert issubclass(kind, vidrt.Error)
    assert kind.__module__ == "vidrt"


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [(vidrt.InvalidArgument, ValueError), (vidrt.OutOfMemory, MemoryError), (vidrt.IoError, OSError)],
)
def test_code_that_knows_nothing_of_vidrt_can_catch_them(kind, builtin):
    assert issubclass(kind, builtin)


@pytest.mark.parametrize("kind", CLASSES)
def test_an_error_survives_a_process_pool(kind):
    again = pickle.loads(pickle.dumps(kind("what, got, expected")))
    assert type(again) is kind
    assert str(again) == "what, got, expected"


def test_the_core_throws_each_class_as_itself(pipe, tiny, tmp_path, pocket_bundle):
    with pytest.raises(vidrt.InvalidArgument) as invalid:
        pipe.plan(vidrt.GenerateOptions(height=33))
    assert type(invalid.value) is vidrt.InvalidArgument
    with pytest.raises(vidrt.BundleError):
        vidrt.Bundle(tmp_path)
    with pytest.raises(vidrt.BackendError):
        vidrt.TextToVideoPipeline(pocket_bundle, variant="no-such-variant")
    with pytest.raises(vidrt.OutOfMemory):
        vidrt.TextToVideoPipeline(pocket_bundle, memory_budget=1).plan()
    with pytest.raises(vidrt.IoError):
        vidrt.PromptEmbeds.load(tmp_path / "missing.safetensors")
    token = vidrt.CancelToken()
    token.cancel()
    with pytest.raises(vidrt.Cancelled):
        pipe("a red circle", **tiny, cancel=token, on_warning=lambda message: None)
