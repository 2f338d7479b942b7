"""vidrt itself: what came with it, its extras, and its folders."""

from __future__ import annotations

import os
from pathlib import Path

from vidrt.engine.builder.cache import Broken, EngineCache
from vidrt.engine.bundle import BUNDLE_VARIABLE, Bundle, default_bundle
from vidrt.engine.cache_folder import CACHE_VARIABLE, cache_folder
from vidrt.engine.custom_ops import custom_ops_library
from vidrt.engine.doctor.report import Finding, missing, ok, wrong
from vidrt.engine.doctor.surroundings import Surroundings, is_importable, package_version
from vidrt.engine.errors import BackendError, BundleError
from vidrt.engine.text import human_bytes

_ALWAYS = (".gif", ".y4m", "PNG files")
_EXPORT = (
    *("torch", "diffusers", "ftfy", "onnx", "onnx_ir", "onnxscript"),
    *("safetensors", "sentencepiece", "transformers"),
)
_WRITABLE = f"make it a folder that you may write to, or name another in {CACHE_VARIABLE}."


def custom_ops(around: Surroundings) -> Finding:
    """The library for other ONNX Runtime sessions than vidrt's own."""
    try:
        path = custom_ops_library()
    except BackendError as error:
        return missing(str(error), "`pip install --force-reinstall vidrt`; in the sources, `make build`.")
    return ok(str(path), path=str(path))


def video_formats(around: Surroundings) -> Finding:
    """The files that a video can be saved as."""
    get = "`pip install 'vidrt[video]'` (PyAV; its wheels hold GPL encoders)."
    others = f"{', '.join(_ALWAYS)} only"
    if not is_importable("av"):
        return missing(others, get)
    found, failure = around.probe("video_encoders")
    if failure is not None:
        return wrong(f"{others}; PyAV: {failure}", get)
    lacking = [suffix for suffix, has in found["formats"].items() if not has]
    if lacking:
        fix = f"install a PyAV whose FFmpeg has the encoders: {get}"
        return wrong(f"this PyAV has no encoder for {', '.join(lacking)}", fix, **found)
    return ok(f"{', '.join((*found['formats'], *_ALWAYS))} (PyAV {found['version']})", **found)


def export(around: Surroundings) -> Finding:
    """What `vidrt export` imports; nothing is loaded here."""
    lacking = [name for name in _EXPORT if not is_importable(name)]
    versions = {name: package_version(name) for name in _EXPORT if name not in lacking}
    if lacking:
        return missing(f"not installed: {', '.join(lacking)}", "`pip install 'vidrt[export]'`.")
    return ok(f"torch {versions['torch']}, diffusers {versions['diffusers']}, onnx {versions['onnx']}", **versions)


def bundle(around: Surroundings) -> Finding:
    """The bundle of a command that names none."""
    named = around.environment.get(BUNDLE_VARIABLE)
    try:
        found = Bundle(default_bundle())
    except BundleError as error:
        if named:
            return wrong(str(error), f"let {BUNDLE_VARIABLE} name a bundle, or unset it.")
        return missing(str(error), f"name a bundle with --bundle, or once and for all in {BUNDLE_VARIABLE}.")
    return ok(f"{found.name} ({found.path})", name=found.name, path=str(found.path))


def cache(around: Surroundings) -> Finding:
    """The folder of what vidrt can make again, and whether it can be written to."""
    folder = cache_folder()
    nearest = next((path for path in (folder, *folder.absolute().parents) if path.exists()), Path("/"))
    if not nearest.is_dir():
        return wrong(f"{folder}: {nearest} is not a folder", _WRITABLE, path=str(folder))
    if not os.access(nearest, os.W_OK | os.X_OK):
        return wrong(f"{folder}: {nearest} cannot be written to", _WRITABLE, path=str(folder))
    return ok(f"{folder}" if folder.is_dir() else f"{folder} (not made yet)", path=str(folder))


def engines(around: Surroundings) -> Finding:
    """The engine cache, how many engines it has and what they take."""
    cache = EngineCache()
    try:
        entries = cache.entries()
        sizes = [path.stat().st_size for files in cache.files().values() for path in files]
    except OSError as error:
        return wrong(f"{cache.folder}: {error.strerror}", _WRITABLE)
    broken = sum(isinstance(entry, Broken) for entry in entries)
    details = {"path": str(cache.folder), "engines": len(entries) - broken, "broken": broken, "bytes": sum(sizes)}
    value = f"{len(entries) - broken} engines, {human_bytes(sum(sizes))} ({cache.folder})"
    if broken:
        return wrong(f"{value}; {broken} more cannot be read", "`vidrt engines prune` removes them.", **details)
    return ok(value, **details)
