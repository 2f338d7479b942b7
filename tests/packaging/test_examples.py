"""The example programs in C and C++, run as a user runs them; and one core: the same bytes from every language."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]
LANGUAGES = ["cpp", "c"]
PROMPT = "a small red circle moving left"


@pytest.mark.parametrize("seed", ["7", "18446744073709551615"])
def test_python_cpp_and_c_give_the_same_bytes(
    run_example: Run, pipe: Any, pocket_bundle: Path, tmp_path: Path, seed: str
) -> None:
    python = pipe(PROMPT, seed=int(seed)).frames.tobytes()
    for language in LANGUAGES:
        output = tmp_path / f"{language}.rgb"
        done = run_example(language, pocket_bundle, PROMPT, output, seed)
        assert done.returncode == 0, done.stderr
        assert output.read_bytes() == python, language


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_example_writes_a_y4m_that_pyav_reads(
    run_example: Run, pocket_bundle: Path, tmp_path: Path, language: str
) -> None:
    av = pytest.importorskip("av", reason="PyAV reads the file back; it comes with the extra `video`")
    output = tmp_path / "circle.y4m"
    done = run_example(language, pocket_bundle, PROMPT, output)
    assert done.returncode == 0, done.stderr
    assert "17 frames of 64x64" in done.stdout
    with av.open(str(output)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(frames) == 17
    assert frames[0].shape == (64, 64, 3)


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_example_says_what_is_wrong_and_leaves_nothing(
    run_example: Run, pocket_bundle: Path, tmp_path: Path, language: str
) -> None:
    bad = {
        "no bundle": (tmp_path / "missing", PROMPT, tmp_path / "a.y4m"),
        "a format it cannot write": (pocket_bundle, PROMPT, tmp_path / "a.mp4"),
        "an unwritable place": (pocket_bundle, PROMPT, tmp_path / "no" / "folder" / "a.y4m"),
        "an empty prompt": (pocket_bundle, "", tmp_path / "a.y4m"),
        "no number": (pocket_bundle, PROMPT, tmp_path / "a.y4m", "seven"),
    }
    for what, arguments in bad.items():
        done = run_example(language, *arguments)
        assert done.returncode in (1, 2), what
        assert "error: " in done.stderr, what
    assert list(tmp_path.iterdir()) == []
