#!/usr/bin/env python3
"""Fetch TensorRT's libraries and Python bindings for the tests of the plugins, into a cache folder.

The libraries come from Maven Central through `mvn` (no Python package has them), the bindings, the CUDA runtime and
CUDA's headers from PyPI by requirements/tensorrt.txt; all are checked by SHA-256. On a machine without a GPU they load,
parse ONNX graphs and inspect the result; they do not build engines there. Linux on x86-64 only; 690 MB on disk. Do not
redistribute them: they are NVIDIA's, under the TensorRT licence that the bindings bring.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "requirements" / "tensorrt.txt"
MAVEN = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy"
ARTIFACT = "org.bytedeco:tensorrt:10.15-1.5.13:jar:linux-x86_64-redist"
SHA256 = "8543a6bda95c5d42141d409e1b74024b444e96334a3815d53997cc4ec3cfce83"
LIBRARIES = ("libnvinfer.so.10", "libnvinfer_plugin.so.10", "libnvonnxparser.so.10")


def main() -> int:
    """Fetch what is not there yet; return the process exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = cache_folder()
    parser.add_argument("--dir", type=Path, default=default, help=f"where they are kept (now: {default})")
    folder: Path = parser.parse_args().dir.absolute()
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        sys.exit(f"tensorrt-libs: got {sys.platform} on {platform.machine()}, expected linux on x86_64")
    stamp = folder / "python" / f".{digest()}"
    if stamp.is_file():
        print(f"tensorrt-libs: nothing to do, {folder} has them")
        return 0
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".fetch-") as scratch:
        if not all((folder / "lib" / name).is_file() for name in LIBRARIES):
            fetch_libraries(Path(scratch), folder / "lib")
        fetch_bindings(Path(scratch), folder / "python", stamp.name)
    print(f"tensorrt-libs: done in {folder}")
    return 0


def cache_folder() -> Path:
    """$VIDRT_TENSORRT_LIBS, or `tensorrt` in vidrt's cache folder."""
    if chosen := os.environ.get("VIDRT_TENSORRT_LIBS"):
        return Path(chosen)
    if chosen := os.environ.get("VIDRT_CACHE_DIR"):
        return Path(chosen) / "tensorrt"
    caches = os.environ.get("XDG_CACHE_HOME")
    return (Path(caches) if caches else Path.home() / ".cache") / "vidrt" / "tensorrt"


def digest() -> str:
    """What identifies the bindings: their lock and the interpreter that they are for."""
    version = f"{sys.implementation.name}-{sys.version_info.major}.{sys.version_info.minor}"
    return hashlib.sha256(REQUIREMENTS.read_bytes() + version.encode()).hexdigest()


def fetch_libraries(scratch: Path, destination: Path) -> None:
    """Download the archive with Maven and unpack the libraries that the bindings load."""
    print(f"tensorrt-libs: {ARTIFACT} (534 MB) ...", flush=True)
    if shutil.which("mvn") is None:
        sys.exit("tensorrt-libs: Maven is needed, which fetches the libraries (Debian, Ubuntu: apt install maven)")
    # A repository of our own: Maven would keep a second copy in the user's.
    run(["mvn", "--quiet", "--batch-mode", MAVEN, f"-Dartifact={ARTIFACT}", f"-DoutputDirectory={scratch}",
         f"-Dmaven.repo.local={scratch / 'repository'}"])  # fmt: skip
    (archive,) = scratch.glob("*.jar")
    with archive.open("rb") as file:
        actual = hashlib.sha256()
        while block := file.read(1 << 20):
            actual.update(block)
    if actual.hexdigest() != SHA256:
        sys.exit(f"tensorrt-libs: {archive.name} has SHA-256 {actual.hexdigest()}, expected {SHA256}; not used")
    libraries = scratch / "lib"
    libraries.mkdir()
    with zipfile.ZipFile(archive) as jar:
        for name in LIBRARIES:
            entry = f"org/bytedeco/tensorrt/linux-x86_64/{name}"
            with jar.open(entry) as source, (libraries / name).open("wb") as target:
                shutil.copyfileobj(source, target)
    shutil.rmtree(destination, ignore_errors=True)
    libraries.rename(destination)


def fetch_bindings(scratch: Path, destination: Path, stamp: str) -> None:
    """Install the locked Python packages into a folder of their own, for the running interpreter."""
    print("tensorrt-libs: bindings, CUDA runtime and headers ...", flush=True)
    python = scratch / "python"
    run([sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps",
         "--require-hashes", "--only-binary", ":all:", "--target", python, "--requirement", REQUIREMENTS])  # fmt: skip
    (python / stamp).touch()
    shutil.rmtree(destination, ignore_errors=True)
    python.rename(destination)


def run(command: list[str | Path]) -> None:
    """Run a command; end with its status where it fails."""
    done = subprocess.run(command)
    if done.returncode != 0:
        sys.exit(f"tensorrt-libs: `{' '.join(map(str, command))}` failed ({done.returncode})")


if __name__ == "__main__":
    sys.exit(main())
