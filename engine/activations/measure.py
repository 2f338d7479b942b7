"""Measure a bundle's modules at a few small sizes, and keep what the plan needs to know of any other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from vidrt import _core
from vidrt.engine.activations.beginning import beginning_of
from vidrt.engine.activations.fit import fit_peaks
from vidrt.engine.errors import BackendError
from vidrt.engine.pipeline import TextToVideoPipeline

_FORMAT = "vidrt.activations.v1"
_TIMEOUT_S = 600.0
_MOST_VOXELS = 1024
"""Of the latents that are measured as usual: what a processor denoises in seconds, whatever the model."""

Size = tuple[int, int, int]


def measured_sizes(manifest: _core.Manifest) -> list[Size]:
    """Height, width and frames of what is measured: the least, the default, and each of its sides made longer.

    Longer is twice, or as far as the bundle's limits let: what is quadratic shows. A default of more than 1024 voxels
    of latents (480x832 and 81 frames are 131,040) is made smaller in all sides alike. So measuring takes minutes and
    little memory, whatever the model was made for, and the plan goes on from there by its formula.
    """
    height, width, frames = manifest.height, manifest.width, manifest.num_frames
    usual = _usual(manifest)
    high, wide = _at_most(height, 2 * usual[0]), _at_most(width, 2 * usual[1])
    long, longest = _at_most(frames, 2 * usual[2]), _at_most(frames, 4 * usual[2])
    sizes = [
        (height.min, width.min, usual[2]),
        usual,
        (usual[0], usual[1], long),
        (usual[0], wide, usual[2]),
        (high, wide, usual[2]),
        (usual[0], usual[1], longest),
    ]
    return list(dict.fromkeys(sizes))


def _frame_sizes(manifest: _core.Manifest, sizes: list[Size]) -> list[Size]:
    """Those at which an encoder of images is measured: each frame once, and none without an encoder."""
    shortest = manifest.num_frames.min
    if not beginning_of(manifest, manifest.height.min, manifest.width.min, shortest):
        return []
    return list(dict.fromkeys((height, width, shortest) for height, width, _ in sizes))


def _usual(manifest: _core.Manifest) -> Size:
    defaults, vae = manifest.defaults, manifest.vae
    voxels = defaults.height * defaults.width * defaults.num_frames / (vae.spatial_ratio**2 * vae.temporal_ratio)
    scale = min(1.0, (_MOST_VOXELS / voxels) ** (1 / 3))
    return (
        _at_most(manifest.height, int(scale * defaults.height)),
        _at_most(manifest.width, int(scale * defaults.width)),
        _at_most(manifest.num_frames, int(scale * defaults.num_frames)),
    )


def _at_most(limit: _core.Limit, value: int) -> int:
    value = max(value, limit.min)
    return limit.min + (min(value, limit.max) - limit.min) // limit.step * limit.step


def measure_activations(
    pipe: TextToVideoPipeline,
    request: dict[str, Any],
    on_progress: Callable[[int, int], object] = lambda _done, _total: None,
) -> None:
    """Measure every module of a generation, each size in a process of its own, and write what was found.

    Args:
        pipe: Of the bundle, opened with the options of `request`. Pipelines opened later plan with the result.
        request: backend, threads and variant of the pipeline, as it was given them.
        on_progress: Called with measurements done and their number.

    Raises:
        BackendError: If a measurement fails, or the system does not tell a process its memory.
    """
    sizes = measured_sizes(pipe.bundle.manifest)
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        base = {"bundle": str(pipe.bundle.path), "embeds": str(Path(folder) / "prompt.safetensors"), **request}
        jobs = [
            ("load", sizes[0]),
            ("encode", sizes[0]),
            *(("encode_image", size) for size in _frame_sizes(pipe.bundle.manifest, sizes)),
            *((stage, size) for stage in ("denoise", "decode") for size in sizes),
        ]
        on_progress(0, len(jobs))
        for done, (stage, (height, width, frames)) in enumerate(jobs, start=1):
            sized = {**base, "stage": stage, "height": height, "width": width, "num_frames": frames}
            for name, row in _probe(sized).items():
                rows[name].append(row)
            on_progress(done, len(jobs))
    for name, found in rows.items():
        _write(Path(pipe.activations_file(name)), found)


def _probe(request: dict[str, Any]) -> dict[str, dict[str, Any]]:
    command = [sys.executable, "-m", "vidrt.engine.activations.probe", json.dumps(request)]
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S)
    except subprocess.TimeoutExpired as error:
        raise BackendError(f"measuring {request['stage']} took more than {_TIMEOUT_S:.0f} s.") from error
    if result.returncode != 0:
        last = (result.stderr.strip().splitlines() or ["no message"])[-1]
        size = f"{request['num_frames']} frames of {request['width']}x{request['height']}"
        raise BackendError(f"measuring {request['stage']} of {size} failed: {last}")
    found: dict[str, dict[str, Any]] = json.loads(result.stdout)
    return found


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    """The first row is of loading, the others of runs."""
    packed = rows[0]["packed_bytes"]
    rows = rows[1:]
    terms = np.array([row["terms"] for row in rows], np.float64)
    measured = np.array([row["activation_bytes"] for row in rows], np.float64)
    coefficients = fit_peaks(terms, measured, packed).tolist()
    model = {"format": _FORMAT, "packed_bytes": packed, "coefficients": coefficients}
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.tmp-{os.getpid()}")
    temporary.write_text(json.dumps(model))
    temporary.replace(path)
