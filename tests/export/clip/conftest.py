"""The tokenizer folder that ModelScope's and Stable Diffusion 2's models have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def modelscope(tmp_path: Path, clip_folders: Any) -> Path:
    return clip_folders.write(tmp_path / "tokenizer", clip_folders.config())
