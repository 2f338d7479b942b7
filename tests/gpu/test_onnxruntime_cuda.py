"""The shipped model on an NVIDIA GPU through ONNX Runtime. Has never run on one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vidrt
from vidrt.engine.doctor import Status, diagnose
from vidrt.engine.doctor.rows import ROWS

pytestmark = pytest.mark.gpu

PROMPT = "a small red circle moving left"
SETTINGS: dict[str, Any] = {"num_frames": 17, "num_inference_steps": 8, "seed": 7}
# TF32 is off in ONNX Runtime unless asked for; sums in another order move a value across a rounding edge at times.
LEVELS = 2


@pytest.fixture(scope="module")
def cuda_pipe(pocket_bundle: Path) -> vidrt.TextToVideoPipeline:
    """The pipeline on the first GPU."""
    rows = [row for row in ROWS if row.name in ("cuda_driver", "cuda_devices", "onnxruntime_cuda")]
    for check in diagnose(rows=rows).checks:
        if check.finding.status is not Status.OK:
            pytest.skip(f"{check.row.name}: {check.finding.value}")
    return vidrt.TextToVideoPipeline(pocket_bundle, backend="onnxruntime-cuda", device="cuda:0")


def test_frames_are_those_of_the_processor(cuda_pipe: vidrt.TextToVideoPipeline, pocket_bundle: Path) -> None:
    expected = vidrt.TextToVideoPipeline(pocket_bundle)(PROMPT, **SETTINGS).frames
    got = cuda_pipe(PROMPT, **SETTINGS).frames
    assert np.abs(got.astype(int) - expected.astype(int)).max() <= LEVELS


def test_two_runs_agree_bit_for_bit(cuda_pipe: vidrt.TextToVideoPipeline) -> None:
    first, second = (cuda_pipe(PROMPT, **SETTINGS).frames for _ in range(2))
    assert np.array_equal(first, second)


def test_any_chunking_of_the_decode_gives_nearly_the_same_frames(cuda_pipe: vidrt.TextToVideoPipeline) -> None:
    clips = [cuda_pipe(PROMPT, decode_chunk=chunk, **SETTINGS).frames.astype(int) for chunk in (1, 3)]
    assert np.abs(clips[0] - clips[1]).max() <= LEVELS


def test_a_gpu_that_is_not_there_is_one_clear_error(pocket_bundle: Path, cuda_pipe: object) -> None:
    with pytest.raises(vidrt.BackendError, match="CUDA"):
        vidrt.TextToVideoPipeline(pocket_bundle, backend="onnxruntime-cuda", device="cuda:99")(PROMPT, **SETTINGS)
