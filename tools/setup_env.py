#!/usr/bin/env python3
"""Make a virtual environment that holds exactly one of the locked requirement sets.

Needs only the standard library. pip installs the pinned uv by hash, uv installs the lock by hash. A stamp in the
environment holds the digest of what was installed, so that a second run costs nothing. The user's own settings of
pip and uv (index, proxy, certificates) are followed; where only pip is configured, uv is told the same.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "requirements"
BOOTSTRAP = REQUIREMENTS / "bootstrap.txt"
# From large to small: an environment made for one set serves those after it, whose versions are the same.
SETS = ("test", "core", "demo")
MIN_PYTHON = (3, 10)
MIN_CMAKE = (3, 22)


def main() -> int:
    """Set the environment up; return the process exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--venv", type=Path, required=True, help="the environment's folder")
    parser.add_argument("--set", choices=SETS, required=True, help="which of requirements/*.txt to install")
    arguments = parser.parse_args()
    venv: Path = arguments.venv.resolve()
    if is_ready(venv, arguments.set):
        print(f"setup: {venv} is up to date ({arguments.set})")
        return 0
    check_machine()
    make_venv(venv)
    install(venv, arguments.set)
    print(f"setup: {venv} is ready ({arguments.set})")
    return 0


def digest(name: str) -> str:
    """What identifies an installed set: its lock, the installer's lock and the interpreter."""
    content = (REQUIREMENTS / f"{name}.txt").read_bytes() + BOOTSTRAP.read_bytes() + sys.version.encode()
    return hashlib.sha256(content).hexdigest()


def is_ready(venv: Path, name: str) -> bool:
    """Whether `venv` holds the set `name`, or a larger one, as locked now."""
    serving = SETS[: SETS.index(name) + 1]
    stamps = ((venv / f".vidrt-{one}", digest(one)) for one in serving)
    return any(stamp.is_file() and stamp.read_text(encoding="utf-8") == expected for stamp, expected in stamps)


def check_machine() -> None:
    """Stop with what to install where this machine cannot build the package."""
    if sys.version_info < MIN_PYTHON:
        sys.exit(f"setup: Python {'.'.join(map(str, MIN_PYTHON))} or later is needed, {sys.executable} is "
                 f"{sys.version.split()[0]}; say which to use with `make PYTHON=python3.x`")  # fmt: skip
    wanted: list[str] = []
    if not (Path(sysconfig.get_paths()["include"]) / "Python.h").is_file():
        wanted.append("python3-dev")
    if shutil.which("c++") is None and shutil.which("g++") is None and "CXX" not in os.environ:
        wanted.append("g++")
    if shutil.which("make") is None:
        wanted.append("make")
    if cmake_version() < MIN_CMAKE:
        wanted.append(f"cmake (>= {'.'.join(map(str, MIN_CMAKE))})")
    if wanted:
        sys.exit(f"setup: this machine lacks {', '.join(wanted)}; on Debian and Ubuntu: apt install "
                 + " ".join(word.split()[0] for word in wanted))  # fmt: skip


def cmake_version() -> tuple[int, ...]:
    """The version of the CMake on PATH, (0,) without one."""
    if shutil.which("cmake") is None:
        return (0,)
    out = subprocess.run(["cmake", "--version"], check=True, capture_output=True, text=True).stdout
    found = re.search(r"(\d+)\.(\d+)", out)
    return tuple(map(int, found.groups())) if found else (0,)


def make_venv(venv: Path) -> None:
    """Create the environment, unless it runs this very Python already."""
    python = venv / "bin" / "python"
    probe = [str(python), "-c", "import sys; print(sys.version)"]
    if python.is_file() and subprocess.run(probe, capture_output=True, text=True).stdout.strip() == sys.version:
        return
    print(f"setup: making {venv}", flush=True)
    done = subprocess.run([sys.executable, "-m", "venv", "--clear", str(venv)], capture_output=True, text=True)
    if done.returncode != 0:
        shutil.rmtree(venv, ignore_errors=True)
        sys.exit(f"setup: {sys.executable} -m venv failed:\n{done.stdout}{done.stderr}"
                 "setup: on Debian and Ubuntu: apt install python3-venv")  # fmt: skip


def install(venv: Path, name: str) -> None:
    """Install the locked set and stamp the environment."""
    python, lock = str(venv / "bin" / "python"), REQUIREMENTS / f"{name}.txt"
    for stamp in venv.glob(".vidrt-*"):
        stamp.unlink()
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run([*pip, "--require-hashes", "-r", str(BOOTSTRAP)], os.environ.copy())
    print(f"setup: installing {lock.relative_to(ROOT)}", flush=True)
    uv = [str(venv / "bin" / "uv"), "pip", "install", "--quiet", "--python", python]
    run([*uv, "--require-hashes", "-r", str(lock)], uv_environment(python))
    (venv / f".vidrt-{name}").write_text(digest(name), encoding="utf-8")


def run(command: list[str], environment: dict[str, str]) -> None:
    """Run an installer, its messages going to the terminal; stop when it fails."""
    done = subprocess.run(command, env=environment, cwd=ROOT)
    if done.returncode != 0:
        sys.exit(f"setup: `{' '.join(command)}` failed ({done.returncode}); its message stands above")


def uv_environment(python: str) -> dict[str, str]:
    """This process's environment; where uv has no index of its own, it gets the one that pip is configured with."""
    environment = os.environ.copy()
    out = subprocess.run([python, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True).stdout
    pip = {}
    for line in out.splitlines():
        key, _, value = line.partition("=")
        pip[key.rpartition(".")[2]] = str(ast.literal_eval(value))
    if not {"UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX"} & environment.keys() and "index-url" in pip:
        environment["UV_DEFAULT_INDEX"] = pip["index-url"]
        if "extra-index-url" in pip:
            environment["UV_INDEX"] = " ".join(pip["extra-index-url"].split())
    if "cert" in pip:
        environment.setdefault("SSL_CERT_FILE", pip["cert"])
    return environment


if __name__ == "__main__":
    sys.exit(main())
