#!/usr/bin/env python3
"""Write requirements/*.txt: every package of every set with its hashes, for Python 3.10 and later on any platform."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UV = Path(sys.executable).parent / "uv"
SETS = {
    # name: (sources, extras of pyproject.toml, the larger set whose versions it takes)
    "bootstrap": (["requirements/bootstrap.in"], [], None),
    "test": (
        ["pyproject.toml", "requirements/build.in"],
        ["cpu", "video", "test", "export", "train", "nvcc", "tensorrt-rtx"],
        None,
    ),
    "core": (["pyproject.toml", "requirements/build.in"], ["cpu", "video", "test"], "test"),
    "demo": (["pyproject.toml", "requirements/build.in"], ["cpu", "video"], "test"),
    "tensorrt": (["requirements/tensorrt.in"], [], None),
}


def main() -> int:
    """Lock every set; return the process exit status."""
    for name, (sources, extras, larger) in SETS.items():
        output = f"requirements/{name}.txt"
        command = [str(UV), "pip", "compile", "--quiet", "--universal", "--python-version", "3.10"]
        command += ["--constraint", "requirements/constraints.in"]
        command += ["--generate-hashes", "--no-emit-index-url", "--no-annotate", "--output-file", output]
        command += ["--custom-compile-command", "make lock"]
        command += [word for extra in extras for word in ("--extra", extra)]
        command += ["--constraint", f"requirements/{larger}.txt"] if larger else []
        command += [*sys.argv[1:], *sources]
        print(f"lock: {output}", flush=True)
        done = subprocess.run(command, cwd=ROOT)
        if done.returncode != 0:
            return done.returncode
        text = (ROOT / output).read_text(encoding="utf-8")
        assert "://" not in text, f"{output} names an address; a lock must leave the index to the user"
    return 0


if __name__ == "__main__":
    sys.exit(main())
