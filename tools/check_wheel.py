#!/usr/bin/env python3
"""Check a built wheel: what it carries, what it needs, what it exports.

`check_wheel.py FOLDER` checks the one wheel in FOLDER and, when all is well, replaces it by the same wheel under the
manylinux tag that auditwheel finds it worthy of.
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
import zipfile
from pathlib import Path

from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

NEEDED_FILES = ("vidrt/__init__.py", "vidrt/py.typed", "vidrt/_core.pyi", "vidrt/engine/__init__.py",
                "vidrt/export/__init__.py")  # fmt: skip
# The libraries that it carries, and the symbols that each exports.
LIBRARIES = {"_core": {"PyInit__core"}, "libvidrt_ort_ops": {"RegisterCustomOps"}}
BACKEND_FUNCTIONS = ("vidrt_tensorrt_check_library", "vidrt_tensorrt_make_backend")
# Those that it carries where it was built with CUDA, or where TensorRT's headers were. CUDA's runtime is linked into
# them and TensorRT opened when it is first asked for: neither may be needed at load time.
OPTIONAL_LIBRARIES = {
    "libvidrt_cuda": {"vidrt_cuda_version", "vidrt_cuda_open_device"},
    "libvidrt_tensorrt": {"vidrt_tensorrt_version", *BACKEND_FUNCTIONS},
    "libvidrt_tensorrt_rtx": {"vidrt_tensorrt_rtx_version", *BACKEND_FUNCTIONS},
    "libvidrt_trt_plugins": {"getCreators", "setLoggerFinder"},
}
# Products bring these themselves; a copy in the wheel would be a second one in the process.
FOREIGN = re.compile(r"onnxruntime|nvinfer|tensorrt_rtx|cudart|cudnn|sentencepiece|protobuf", re.IGNORECASE)


def main() -> int:
    """Check the wheel in the folder named on the command line; return the process exit status."""
    (folder,) = map(Path, sys.argv[1:])
    (wheel,) = folder.glob("*.whl")
    faults = wheel_faults(wheel)
    for fault in faults:
        print(f"wheel: {fault}")
    if faults:
        return 1
    repaired = repair(wheel, folder)
    print(f"wheel: {repaired} ({repaired.stat().st_size / 1e6:.1f} MB): nothing bundled, $ORIGIN rpath, hidden symbols")
    return 0


def wheel_faults(wheel: Path) -> list[str]:
    """What is wrong with `wheel`, a sentence each; empty when all is well."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        faults = [f"{name} is missing" for name in NEEDED_FILES if name not in names]
        faults += [f"{name} does not belong in a wheel" for name in names if not belongs(name)]
        libraries = [name for name in names if ".so" in Path(name).name]
        stems = {Path(name).name.split(".")[0]: name for name in libraries}
        known = LIBRARIES | OPTIONAL_LIBRARIES
        foreign = [name for stem, name in stems.items() if FOREIGN.search(Path(name).name) and stem not in known]
        faults += [f"{name} is a library of another project" for name in foreign]
        if not LIBRARIES.keys() <= stems.keys() <= known.keys() or len(libraries) != len(stems):
            faults.append(
                f"the libraries are {libraries}, expected {', '.join(LIBRARIES)}, and where they were built "
                f"{', '.join(OPTIONAL_LIBRARIES)}"
            )
        for stem, name in stems.items():
            faults += elf_faults(name, archive.read(name), known.get(stem, set()), stem in LIBRARIES)
    return faults


def belongs(name: str) -> bool:
    """Whether a file of this name is the package's own code, stub, marker or metadata."""
    top = name.split("/")[0]
    return (top == "vidrt" or top.endswith(".dist-info")) and "__pycache__" not in name and "/tests/" not in name


def elf_faults(name: str, content: bytes, exports: set[str], has_rpath: bool) -> list[str]:
    """What is wrong with the library `name`, which has to export the symbols `exports` alone.

    Libraries that are opened by their paths and need none of their neighbours have no rpath.
    """
    elf = ELFFile(io.BytesIO(content))
    faults: list[str] = []
    dynamic = elf.get_section_by_name(".dynamic")
    symbols = elf.get_section_by_name(".dynsym")
    assert isinstance(dynamic, DynamicSection)
    assert isinstance(symbols, SymbolTableSection)
    # elftools names a tag's value after its kind (tag.runpath, tag.needed), which type checkers cannot follow.
    values = {kind: [getattr(tag, kind) for tag in dynamic.iter_tags(f"DT_{kind.upper()}")]
              for kind in ("runpath", "rpath", "needed")}  # fmt: skip
    rpaths = values["rpath"] + values["runpath"]
    if rpaths != (["$ORIGIN"] if has_rpath else []):
        faults.append(f"{name} has the rpath {rpaths}, expected {'$ORIGIN' if has_rpath else 'none'}")
    faults += [f"{name} needs {library} at load time" for library in values["needed"] if FOREIGN.search(library)]
    exported = [symbol.name for symbol in symbols.iter_symbols()
                if symbol["st_shndx"] != "SHN_UNDEF" and symbol["st_info"]["bind"] != "STB_LOCAL"]  # fmt: skip
    if sorted(exported) != sorted(exports):
        expected = ", ".join(sorted(exports)) or "nothing"
        faults.append(f"{name} exports {len(exported)} symbols ({', '.join(exported[:5])} ...), expected {expected}")
    return faults


def repair(wheel: Path, folder: Path) -> Path:
    """Retag `wheel` with auditwheel; stop when auditwheel would have to bundle a library."""
    command = [sys.executable, "-m", "auditwheel", "repair", "--wheel-dir", str(folder / "repaired"), str(wheel)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"wheel: auditwheel refused it:\n{done.stdout}{done.stderr}")
    (repaired,) = (folder / "repaired").glob("*.whl")
    with zipfile.ZipFile(repaired) as archive:
        bundled = [name for name in archive.namelist() if ".libs/" in name]
    if bundled:
        sys.exit(f"wheel: auditwheel had to bundle {', '.join(bundled)}")
    wheel.unlink()
    result = repaired.rename(folder / repaired.name)
    (folder / "repaired").rmdir()
    return result


if __name__ == "__main__":
    sys.exit(main())
