"""The package as a name to import."""

import importlib.metadata
import inspect

import pytest

import vidrt


def test_importing_vidrt_loads_nothing_heavy(run_python):
    heavy = ("torch", "av", "PIL", "numpy", "rich", "typer", "vidrt._core")
    code = f"import sys, vidrt; print([name for name in {heavy} if name in sys.modules])"
    assert run_python(code).stdout.strip() == "[]"


def test_generating_a_video_never_imports_torch_or_the_onnxruntime_package(run_python, pocket_bundle):
    code = (
        "import sys, vidrt; p = vidrt.TextToVideoPipeline(sys.argv[1]); "
        "p('a red circle', height=32, width=32, num_frames=1, num_inference_steps=1, on_warning=print); "
        "print([m for m in ('torch', 'onnxruntime', 'av', 'diffusers') if m in sys.modules])"
    )
    result = run_python(code, str(pocket_bundle))
    assert result.stdout.splitlines()[-1] == "[]", result.stderr


@pytest.mark.parametrize("name", vidrt.__all__)
def test_every_public_name_exists_and_has_a_docstring(name):
    value = getattr(vidrt, name)
    assert isinstance(value, str) or inspect.getdoc(value)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'TextToVideo'"):
        vidrt.TextToVideo  # noqa: B018


def test_the_version_of_the_package_is_the_one_of_the_core():
    assert vidrt.__version__ == importlib.metadata.version("vidrt")
