"""ftfy before the core sees a prompt, where a bundle declares it; the cleaning that the core does."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import vidrt
from vidrt.engine import prompt_fixing
from vidrt.engine.events import Callbacks
from vidrt.engine.options import GenerateOptions

needs_ftfy = pytest.mark.skipif(importlib.util.find_spec("ftfy") is None, reason="ftfy is not installed")
BROKEN = "schÃ¶ner roter Kreis"


@pytest.fixture
def edited(bundle_copy: Path) -> Callable[..., vidrt.Bundle]:
    """The pocket bundle with these settings of its text."""

    def make(**text: Any) -> vidrt.Bundle:
        path = bundle_copy / "manifest.json"
        manifest = json.loads(path.read_text())
        manifest["text"].update(text)
        path.write_text(json.dumps(manifest))
        return vidrt.Bundle(bundle_copy)

    return make


@pytest.fixture
def without_ftfy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompt_fixing, "package_folders", lambda package: [])


def test_a_bundles_tokenizer_cleans_as_the_bundle_says(edited: Callable[..., vidrt.Bundle]) -> None:
    plain = "red & blue"
    html = edited(cleaning="html")
    assert html.manifest.text_cleaning == "html"
    unknown = "&amp;lt;red&#x3e;"
    assert html.tokenizer.encode(unknown).ids == html.tokenizer.encode("<red>").ids
    assert html.tokenizer.encode("red &amp;amp; blue").ids == html.tokenizer.encode(plain).ids


def test_bundles_that_say_nothing_change_nothing(pocket_bundle: Path) -> None:
    bundle = vidrt.Bundle(pocket_bundle)
    assert bundle.manifest.text_cleaning == "none"
    assert not bundle.manifest.text_ftfy
    assert bundle.tokenizer.encode("&amp;").ids != bundle.tokenizer.encode("&").ids
    options = GenerateOptions(BROKEN)
    assert prompt_fixing.fixed_prompts(options, bundle.manifest, pytest.fail) is options


@needs_ftfy
def test_ftfy_puts_both_prompts_right(edited: Callable[..., vidrt.Bundle]) -> None:
    manifest = edited(ftfy=True).manifest
    options = GenerateOptions(BROKEN, negative_prompt="l’humanitÃ©")
    fixed = prompt_fixing.fixed_prompts(options, manifest, pytest.fail)
    assert (fixed.prompt, fixed.negative_prompt) == ("schöner roter Kreis", "l'humanité")
    assert prompt_fixing.fixed_prompts(GenerateOptions("a"), manifest, pytest.fail).negative_prompt is None


@needs_ftfy
def test_a_video_says_that_ftfy_was_there_and_what_it_gave(edited: Callable[..., vidrt.Bundle]) -> None:
    pipe = vidrt.TextToVideoPipeline(edited(ftfy=True), threads=1)
    quiet = Callbacks(on_warning=lambda message: None)
    video = pipe("a ﬂat red circle", num_frames=1, num_inference_steps=1, on_warning=lambda message: None, seed=1)
    assert video.metadata.prompt == "a flat red circle"
    assert video.metadata.prompts_fixed_by.startswith("ftfy ")
    assert pipe.encode_prompt("a ﬂat red circle", callbacks=quiet).prompt == "a flat red circle"


@pytest.mark.usefixtures("without_ftfy")
def test_without_ftfy_only_text_beyond_ascii_is_a_warning(edited: Callable[..., vidrt.Bundle]) -> None:
    manifest = edited(ftfy=True).manifest
    warnings: list[str] = []
    for options in (GenerateOptions("red circle"), GenerateOptions("red circle", negative_prompt="blue")):
        assert prompt_fixing.fixed_prompts(options, manifest, warnings.append) is options
    assert not warnings
    for options in (GenerateOptions(BROKEN), GenerateOptions("red", negative_prompt=BROKEN)):
        assert prompt_fixing.fixed_prompts(options, manifest, warnings.append) is options
    assert len(warnings) == 2
    assert "pip install 'vidrt[text]'" in warnings[0]
    assert prompt_fixing.fixed_by(manifest) == ""


def test_a_prompt_that_is_no_text_is_refused_before_it_is_fixed(edited: Callable[..., vidrt.Bundle]) -> None:
    options = GenerateOptions("red", negative_prompt=5)  # type: ignore[arg-type]
    with pytest.raises(vidrt.InvalidArgument, match="negative_prompt must be a string"):
        prompt_fixing.fixed_prompts(options, edited(ftfy=True).manifest, None)


def test_inspect_says_how_prompts_are_cleaned(edited: Callable[..., vidrt.Bundle], run_vidrt: Any) -> None:
    shown = run_vidrt("inspect", str(edited(ftfy=True, cleaning="html").path)).stdout
    assert "prompts are cleaned: ftfy" in shown
    assert "then HTML's character references resolved, white space made single" in shown


@pytest.mark.parametrize(("key", "value"), [("cleaning", "htm"), ("cleaning", None), ("ftfy", "yes"), ("ftfy", 1)])
def test_other_words_are_refused(edited: Callable[..., vidrt.Bundle], key: str, value: object) -> None:
    with pytest.raises(vidrt.BundleError, match=rf"text\.{key}"):
        edited(**{key: value})
