#!/usr/bin/env python3
"""Plant faults in a copy of the sources, one at a time, and see that the tests catch each.

tests/mutations.json lists the faults: the file, the text that stands there now, what it is changed to, and the tests
that must fail (`cpp`: a GoogleTest filter; `python`: pytest arguments). Before any fault is planted all of those
tests must pass. A fault whose text no longer stands in its file exactly once counts as a failure of this run.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SCRATCH = ROOT / "build" / "mutate"
SOURCE = SCRATCH / "source"
BUILD = SCRATCH / "cpp"
PACKAGE = SCRATCH / "package"
TIMEOUT_S = 600

# The environment's editable install points at the real sources; in the scratch runs its finder steps aside.
SITECUSTOMIZE = """import sys
sys.meta_path[:] = [one for one in sys.meta_path if type(one).__name__ != "ScikitBuildRedirectingFinder"]
"""


@dataclass(frozen=True)
class Mutation:
    """One fault: in `file`, `old` becomes `new`; `cpp` or `python` selects the tests that must then fail."""

    name: str
    file: str
    old: str
    new: str
    cpp: str = ""
    python: str = ""


def main() -> int:
    """Plant every fault; return 0 when each was caught."""
    entries = json.loads((ROOT / "tests" / "mutations.json").read_text(encoding="utf-8"))
    mutations = [Mutation(**entry) for entry in entries]
    copy_sources()
    prepare_python()
    configure_cpp()
    print("mutate: the tests on the unchanged sources ...", flush=True)
    for mutation in mutations:
        failed = run_tests(mutation)
        if failed is not None:
            print(f"mutate: {mutation.name}: its tests fail without the fault, so they would prove nothing:\n{failed}")
            return 1
    missed = [mutation.name for mutation in mutations if not is_caught(mutation)]
    print(f"mutate: {len(mutations) - len(missed)} of {len(mutations)} faults caught")
    return 1 if missed else 0


def copy_sources() -> None:
    """Bring the scratch copy in line with the working tree, touching only files that differ."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    wanted = {name for name in listed.split("\0") if name and (ROOT / name).is_file()}
    for path in [path for path in SOURCE.rglob("*") if path.is_file()]:
        if str(path.relative_to(SOURCE)) not in wanted:
            path.unlink()
    for name in wanted:
        source, target = ROOT / name, SOURCE / name
        if not target.is_file() or target.read_bytes() != source.read_bytes():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)


def prepare_python() -> None:
    """Lay out the package `vidrt` over the scratch copy, with the extension that the environment has."""
    shutil.rmtree(PACKAGE, ignore_errors=True)
    (PACKAGE / "vidrt").mkdir(parents=True)
    (PACKAGE / "sitecustomize.py").write_text(SITECUSTOMIZE, encoding="utf-8")
    extension = f"_core{sysconfig.get_config_var('EXT_SUFFIX')}"
    links = {path.name: path for path in (SOURCE / "python" / "vidrt").iterdir()}
    links |= {name: SOURCE / name for name in ("engine", "export")}
    links[extension] = Path(sysconfig.get_paths()["purelib"]) / "vidrt" / extension
    for name, target in links.items():
        (PACKAGE / "vidrt" / name).symlink_to(target)


def configure_cpp() -> None:
    """Configure the scratch build: fast to compile, tests only."""
    command = ["cmake", "-S", str(SOURCE), "-B", str(BUILD), "-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_CXX_FLAGS=-O1",
               "-DVIDRT_BUILD_EXAMPLES=OFF", "-DVIDRT_INSTALL=OFF",
               f"-DVIDRT_DEPS_DIR={os.environ.get('VIDRT_DEPS_DIR', ROOT / '.deps')}"]  # fmt: skip
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def is_caught(mutation: Mutation) -> bool:
    """Plant one fault, run its tests, take the fault out again; whether the tests failed."""
    path = SOURCE / mutation.file
    text = path.read_text(encoding="utf-8")
    if text.count(mutation.old) != 1:
        print(f"mutate: {mutation.name}: STALE, its text stands {text.count(mutation.old)} times in {mutation.file}")
        return False
    path.write_text(text.replace(mutation.old, mutation.new), encoding="utf-8")
    try:
        caught = run_tests(mutation) is not None
    finally:
        path.write_text(text, encoding="utf-8")
    print(f"mutate: {mutation.name}: {'caught' if caught else 'MISSED'} ({mutation.file})", flush=True)
    return caught


def run_tests(mutation: Mutation) -> str | None:
    """Run the tests of one fault; the end of their output when they fail, else None."""
    environment = os.environ | {"PYTHONPATH": str(PACKAGE), "PYTHONDONTWRITEBYTECODE": "1"}
    if mutation.cpp:
        build = ["cmake", "--build", str(BUILD), "--target", "vidrt_tests"]
        done = subprocess.run(build, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"mutate: {mutation.name} does not compile:\n{done.stdout[-3000:]}")
        command = [str(BUILD / "tests" / "cpp" / "vidrt_tests"), f"--gtest_filter={mutation.cpp}"]
    else:
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *mutation.python.split()]
    try:
        done = subprocess.run(
            command, cwd=SOURCE, env=environment, timeout=TIMEOUT_S, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace",
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"not finished after {TIMEOUT_S} s"
    if mutation.cpp and "Running 0 tests from" in done.stdout:
        sys.exit(f"mutate: {mutation.name}: the filter {mutation.cpp} selects no test")
    return None if done.returncode == 0 else done.stdout[-3000:]


if __name__ == "__main__":
    sys.exit(main())
