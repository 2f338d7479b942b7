"""Load the first library that loads, of those named, and print what it is, as JSON. Run by vidrt.engine.doctor."""

from __future__ import annotations

import ctypes
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path


def main(kind: str, candidates: list[str]) -> dict[str, object]:
    """`path` and `version`, or `errors` by candidate."""
    errors: dict[str, str] = {}
    for candidate in candidates:
        try:
            library = ctypes.CDLL(candidate)
        except OSError as error:
            errors[candidate] = str(error)
            continue
        return {"path": _path(candidate), "version": _VERSIONS[kind](library), "errors": errors}
    return {"errors": errors}


def _path(candidate: str) -> str:
    name = re.escape(Path(candidate).name)
    with Path("/proc/self/maps").open() as maps:
        for line in maps:
            loaded = line.split(maxsplit=5)[-1].strip()
            if re.fullmatch(f"{name}(\\.[0-9.]+)?", Path(loaded).name):
                return loaded
    return candidate


def _cuda_runtime(library: ctypes.CDLL) -> str:
    version = ctypes.c_int()
    library.cudaRuntimeGetVersion(ctypes.byref(version))
    return f"{version.value // 1000}.{version.value % 1000 // 10}"


def _tensorrt(library: ctypes.CDLL) -> str | None:
    if not hasattr(library, "getInferLibMajorVersion"):  # before TensorRT 10
        return None
    parts = ("Major", "Minor", "Patch", "Build")
    return ".".join(str(getattr(library, f"getInferLib{part}Version")()) for part in parts)


_VERSIONS: dict[str, Callable[[ctypes.CDLL], str | None]] = {
    "cuda_runtime": _cuda_runtime,
    "tensorrt": _tensorrt,
    "any": lambda _library: None,
}

if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], sys.argv[2:])))
