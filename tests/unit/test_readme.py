"""What the READMEs tell a user to type works as it stands there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
READMES = ["README.md", "README.zh-CN.md"]


def blocks(readme: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / readme).read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("readme", READMES)
def test_the_python_of_the_readme_runs(readme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("av", reason="the example saves an MP4, which the extra `video` writes")
    (tmp_path / "models").symlink_to(ROOT / "models")
    monkeypatch.chdir(tmp_path)
    code, _ = blocks(readme, "python")
    exec(compile(code, readme, "exec"), {})
    assert (tmp_path / "circle.mp4").is_file()


@pytest.mark.parametrize("readme", READMES)
def test_the_operators_of_the_readme_run(readme: str) -> None:
    pytest.importorskip("onnx", reason="the example makes its model with onnx, which the extra `export` brings")
    pytest.importorskip("onnxruntime", reason="the example runs in ONNX Runtime's own Python package")
    _, code = blocks(readme, "python")
    names: dict[str, Any] = {}
    exec(compile(code, readme, "exec"), names)
    assert names["y"].shape == (1, 64, 9, 60, 104)


@pytest.mark.parametrize("readme", READMES)
def test_the_commands_of_the_readme_run(readme: str, run_vidrt: Callable[..., CompletedProcess[str]]) -> None:
    pytest.importorskip("av", reason="the examples write MP4, which the extra `video` does")
    lines = [line for block in blocks(readme, "sh") for line in block.splitlines() if line.startswith("vidrt ")]
    assert lines
    for line in lines:
        words = shlex.split(line, comments=True)[1:]
        arguments = [str(ROOT / word) if word.startswith("models/") else word for word in words]
        # In the environment of `make demo`, which is not editable, there is no bundle but the one that a command names.
        done = run_vidrt(*arguments, VIDRT_BUNDLE="nowhere")
        assert done.returncode == 0, f"{line}: {done.stderr}"


@pytest.mark.parametrize("readme", READMES)
def test_links_of_the_readme_lead_somewhere(readme: str) -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", (ROOT / readme).read_text(encoding="utf-8"))
    missing = [target for target in targets if "://" not in target and not (ROOT / target).exists()]
    assert not missing


def test_both_readmes_show_the_same_commands() -> None:
    def code(readme: str, language: str) -> list[str]:
        return [re.sub(r"\s*(#|//).*", "", block) for block in blocks(readme, language)]

    for language in ("sh", "python", "cpp"):
        assert code("README.md", language) == code("README.zh-CN.md", language)
