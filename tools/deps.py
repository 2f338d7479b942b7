#!/usr/bin/env python3
"""Fetch the C++ dependencies that the system does not have, without root, into a cache folder.

Which are missing is asked of the build's own CMake rules (csrc/cmake/probe). Each is fetched by its exact version
from PyPI (through pip) or from Debian (through apt with a state folder of our own), checked against the SHA-256 in
csrc/cmake/dependencies.json, and laid into DEPS/NAME-VERSION by one rename. Where neither client is there, the
dependency is left to CMake, which fetches the upstream release while configuring.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PINS = ROOT / "csrc" / "cmake" / "dependencies.json"
PROBE = ROOT / "csrc" / "cmake" / "probe"


class FetchError(Exception):
    """A dependency could not be had this way; says why."""


def main() -> int:
    """Fetch what is missing; return the process exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Path(os.environ.get("VIDRT_DEPS_DIR", ROOT / ".deps"))
    parser.add_argument("--dir", type=Path, default=default, help=f"the cache folder (now: {default})")
    folder: Path = parser.parse_args().dir.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return fetch_missing(folder)


def fetch_missing(folder: Path) -> int:
    """Fetch each dependency that the probe reports missing into `folder`."""
    pins: dict[str, Any] = json.loads(PINS.read_text(encoding="utf-8"))
    missing = probe(folder)
    if not missing:
        print(f"deps: nothing to do, all of {', '.join(pins)} are on the system or in {folder}")
        return 0
    for name in missing:
        pin = pins[name]
        print(f"deps: {name} {pin['version']} ...", flush=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=f".{name}-") as scratch:
            try:
                if "pypi" in pin:
                    tree = fetch_from_pypi(pin["pypi"], Path(scratch))
                else:
                    tree = fetch_from_debian(pin["debian"], folder, Path(scratch))
                prefix = Path(scratch) / "prefix"
                LAYOUTS[name](tree, prefix)
            except FetchError as error:
                print(f"deps: {name}: {error}\ndeps: {name}: left to CMake, which fetches its upstream release")
                continue
            prefix.rename(folder / f"{name}-{pin['version']}")
    left = probe(folder)
    print(f"deps: done in {folder}" + (f"; CMake will fetch {', '.join(left)}" if left else ""))
    return 0


def run(command: Sequence[str | Path], cwd: Path | None = None) -> str:
    """Run a command and return what it printed; raise FetchError with its last lines when it fails."""
    try:
        done = subprocess.run(command, check=True, cwd=cwd, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    except FileNotFoundError as error:
        raise FetchError(f"{command[0]} is not installed") from error
    except subprocess.CalledProcessError as error:
        tail = "\n".join(error.stdout.splitlines()[-15:])
        raise FetchError(f"`{' '.join(map(str, command))}` failed ({error.returncode}):\n{tail}") from error
    return done.stdout


def probe(folder: Path) -> list[str]:
    """Names of the dependencies that CMake finds neither on the system nor in `folder`."""
    try:
        with tempfile.TemporaryDirectory(prefix="vidrt-probe-") as build:
            out = run(["cmake", "-S", PROBE, "-B", build, f"-DVIDRT_DEPS_DIR={folder}"])
    except FetchError as error:
        sys.exit(f"deps: {error}\ndeps: CMake and a C++ compiler are needed (Debian, Ubuntu: apt install cmake g++)")
    found = re.search(r"vidrt-missing: (.*)", out)
    assert found is not None, out
    return [name for name in found.group(1).strip().split(";") if name]


def check_sha256(path: Path, expected: str) -> None:
    """Raise FetchError unless the file at `path` has the SHA-256 `expected`."""
    actual = hashlib.sha256(path.read_bytes()).hexdigest()
    if actual != expected:
        raise FetchError(f"{path.name} has SHA-256 {actual}, expected {expected}; not used")


def fetch_from_pypi(pin: dict[str, str], scratch: Path) -> Path:
    """Download and unpack a source distribution; return its folder."""
    requirement = f"{pin['package']}=={pin['version']}"
    run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:", "--dest", scratch,
         requirement])  # fmt: skip
    (archive,) = scratch.glob("*.tar.gz")
    check_sha256(archive, pin["sha256"])
    with tarfile.open(archive) as tar:
        tar.extractall(scratch)  # the archive's bytes are pinned
    return scratch / f"{pin['package']}-{pin['version']}"


def fetch_from_debian(pin: dict[str, str], folder: Path, scratch: Path) -> Path:
    """Download and unpack a Debian package of the pinned suite; return the folder it unpacks to."""
    options = apt_options(pin["suite"], folder / ".apt")
    version = f"{pin['package']}={pin['version']}"
    run(["apt-get", *options, "--quiet", "download", version], cwd=scratch)
    (archive,) = scratch.glob("*.deb")
    check_sha256(archive, pin["sha256"])
    run(["dpkg-deb", "-x", archive, scratch / "tree"])
    return scratch / "tree" / "usr"


def apt_options(suite: str, state: Path) -> list[str]:
    """Options that make apt read `suite` from the system's own mirror and keep its state in `state`."""
    lists = state / suite / "lists"
    sources = state / f"{suite}.list"
    options: list[str] = []
    settings = {
        "Dir::Etc::SourceList": sources,
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::State": state / suite,
        "Dir::State::Lists": lists,
        "Dir::State::Status": state / suite / "status",
        "Dir::Cache": state / suite,
        "APT::Sandbox::User": "",
        # Headers are the same everywhere, and so one pinned package of one architecture serves every machine.
        "APT::Architecture": "amd64",
        "APT::Architectures": "amd64",
        "Acquire::Languages": "none",
        "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled": "false",
    }
    for key, value in settings.items():
        options += ["-o", f"{key}={value}"]
    if not lists.is_dir():
        mirror = debian_mirror()
        (state / suite).mkdir(parents=True, exist_ok=True)
        (state / suite / "status").touch()
        # What is downloaded is checked against our own SHA-256, so an old keyring need not know the suite's key.
        sources.write_text(f"deb [trusted=yes] {mirror} {suite} main\n", encoding="utf-8")
        try:
            run(["apt-get", *options, "--quiet", "update"])
        except FetchError:
            shutil.rmtree(state, ignore_errors=True)
            raise
    return options


def debian_mirror() -> str:
    """The address from which this Debian system takes its packages, as its own apt configuration says."""
    if "debian" not in os_release().get("ID", ""):
        raise FetchError(f"{platform.system()} {os_release().get('ID', 'without /etc/os-release')} is not Debian")
    for line in run(["apt-get", "--print-uris", "update"]).splitlines():
        match = re.match(r"'(\S+?)/?dists/([^/']+)/InRelease'", line)
        if match and match.group(2) == os_release().get("VERSION_CODENAME"):
            return match.group(1)
    raise FetchError("apt's configuration names no mirror of the running release")


def os_release() -> dict[str, str]:
    """The key-value pairs of /etc/os-release, empty where there is none."""
    path = Path("/etc/os-release")
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return {key: value.strip('"') for key, _, value in (line.partition("=") for line in lines)}


def lay_headers(folder: str) -> Any:
    """A layout that takes one folder of headers."""

    def lay(tree: Path, prefix: Path) -> None:
        shutil.copytree(tree / "include" / folder, prefix / "include" / folder)

    return lay


def lay_googletest(tree: Path, prefix: Path) -> None:
    """GoogleTest is built with each build's own flags, so its sources are kept."""
    shutil.copytree(tree / "src" / "googletest", prefix)


def lay_sentencepiece(tree: Path, prefix: Path) -> None:
    """Build the static library: position-independent, symbols hidden, its own protobuf inside."""
    source, build = tree / "sentencepiece", tree / "build"
    run(["cmake", "-S", source, "-B", build, "-DCMAKE_BUILD_TYPE=Release", "-DSPM_ENABLE_SHARED=OFF",
         "-DSPM_ENABLE_TCMALLOC=OFF", "-DCMAKE_POSITION_INDEPENDENT_CODE=ON", "-DCMAKE_CXX_VISIBILITY_PRESET=hidden",
         "-DCMAKE_VISIBILITY_INLINES_HIDDEN=ON", "-DCMAKE_POLICY_VERSION_MINIMUM=3.5"])  # fmt: skip
    jobs = str(os.cpu_count() or 1)
    run(["cmake", "--build", build, "--target", "sentencepiece-static", "--parallel", jobs])
    (prefix / "include").mkdir(parents=True)
    (prefix / "lib").mkdir()
    shutil.copy(source / "src" / "sentencepiece_processor.h", prefix / "include")
    shutil.copy(source / "LICENSE", prefix)
    shutil.copy(build / "src" / "libsentencepiece.a", prefix / "lib")


LAYOUTS = {
    "nlohmann_json": lay_headers("nlohmann"),
    "onnxruntime": lay_headers("onnxruntime"),
    "googletest": lay_googletest,
    "sentencepiece": lay_sentencepiece,
}

if __name__ == "__main__":
    sys.exit(main())
