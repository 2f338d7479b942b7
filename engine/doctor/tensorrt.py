"""Both flavours of TensorRT: Python bindings, libraries, CUDA runtime."""

from __future__ import annotations

from dataclasses import dataclass

from vidrt import _core
from vidrt.engine.builder.flavour import INSTALL, MODULES, RTX_CUDA_RUNTIME, RTX_LIBRARIES
from vidrt.engine.doctor.cuda import NO_GPU, has_gpu
from vidrt.engine.doctor.libraries import FoundLibrary, find_library
from vidrt.engine.doctor.report import Finding, Status, missing, not_applicable, ok, wrong
from vidrt.engine.doctor.surroundings import Surroundings, is_importable, package_version
from vidrt.engine.packages import wheel_files
from vidrt.engine.tensorrt_location import PACKAGES


@dataclass(frozen=True)
class _Files:
    """Names of a flavour's libraries, the newest first."""

    inference: list[str]
    parser: list[str]


_FILES = {
    "tensorrt": _Files(
        [f"libnvinfer.so.{major}" for major in (11, 10)], [f"libnvonnxparser.so.{major}" for major in (11, 10)]
    ),
    "tensorrt-rtx": _Files(*([name] for name in RTX_LIBRARIES)),
}
_NOT_RTX = "TensorRT for RTX is for Linux on x86-64"


def python(around: Surroundings) -> Finding:
    """TensorRT's bindings."""
    return _python(around, "tensorrt")


def rtx_python(around: Surroundings) -> Finding:
    """The bindings of TensorRT for RTX."""
    return _python(around, "tensorrt-rtx")


def libraries(around: Surroundings) -> Finding:
    """TensorRT's inference library, as its bindings and the loader find it."""
    return _inference(around, "tensorrt")


def rtx_libraries(around: Surroundings) -> Finding:
    """The inference library of TensorRT for RTX, of its wheel or of the loader's path."""
    return _inference(around, "tensorrt-rtx")


def parser(around: Surroundings) -> Finding:
    """TensorRT's ONNX parser, which builds engines; running them does without."""
    return _parser(around, "tensorrt")


def rtx_parser(around: Surroundings) -> Finding:
    """The ONNX parser of TensorRT for RTX."""
    return _parser(around, "tensorrt-rtx")


def rtx_cuda_runtime(around: Surroundings) -> Finding:
    """The CUDA runtime that TensorRT for RTX is linked to."""
    absent = _absent(around, "tensorrt-rtx")
    wheels = [str(path) for path in wheel_files("nvidia", f"*/lib/{RTX_CUDA_RUNTIME}")]
    found = find_library(around, "cuda_runtime", [*wheels, RTX_CUDA_RUNTIME])
    package = package_version("nvidia-cuda-runtime")
    if found.path is not None:
        value = f"{found.version} ({found.path})"
        return ok(value, version=found.version, path=found.path, package=package)
    if found.broken is not None:
        return wrong(found.broken, INSTALL["tensorrt-rtx"], package=package)
    if absent.status is Status.NOT_APPLICABLE:
        return absent
    return missing(f"no {RTX_CUDA_RUNTIME} was found", INSTALL["tensorrt-rtx"])


def _python(around: Surroundings, backend: str) -> Finding:
    module = next((name for name in MODULES[backend] if is_importable(name)), None)
    if module is None:
        return _absent(around, backend)
    found, failure = around.probe("tensorrt_python", backend)
    reason = failure or found.get("error")
    if reason is not None:
        return wrong(f"{module}: {reason}", INSTALL[backend])
    return ok(f"{found['version']} (module {module})", version=found["version"], module=module)


def _absent(around: Surroundings, backend: str) -> Finding:
    names = " or ".join(MODULES[backend])
    if backend == "tensorrt-rtx" and around.machine != "x86_64":
        return not_applicable(_NOT_RTX)
    if backend == "tensorrt" and not has_gpu(around):
        return not_applicable(f"{NO_GPU}, without which it builds nothing")
    return missing(f"no Python module {names}", INSTALL[backend])


def _search(around: Surroundings, kind: str, backend: str, names: list[str]) -> FoundLibrary:
    wheels = [str(path) for name in names for path in wheel_files(PACKAGES[backend], name)]
    return find_library(around, kind, [*wheels, *names])


def _find_inference(around: Surroundings, backend: str) -> FoundLibrary:
    return _search(around, "tensorrt", backend, _FILES[backend].inference)


def _find_parser(around: Surroundings, backend: str) -> FoundLibrary:
    return _search(around, "any", backend, _FILES[backend].parser)


def _inference(around: Surroundings, backend: str) -> Finding:
    found = _find_inference(around, backend)
    if found.broken is not None:
        return wrong(found.broken, INSTALL[backend])
    if found.path is None:
        absent = _absent(around, backend)
        return absent if absent.status is Status.NOT_APPLICABLE else missing("no library was found", INSTALL[backend])
    details = {"version": found.version, "path": found.path, "onnx_parser_path": _find_parser(around, backend).path}
    if found.version is None:
        return wrong(f"{found.path} is of before TensorRT 10", INSTALL[backend], **details)
    value = f"{found.version} ({found.path})"
    bindings, _ = around.probe("tensorrt_python", backend) if _python_is_there(backend) else ({}, None)
    version = bindings.get("version")
    if version and not _core.same_version(version, found.version):
        fix = f"install bindings and libraries of one version. {INSTALL[backend]}"
        return wrong(f"{value}, but the Python bindings are {version}", fix, **details)
    return ok(value, **details)


def _parser(around: Surroundings, backend: str) -> Finding:
    found = _find_parser(around, backend)
    if found.path is not None:
        return ok(found.path, path=found.path)
    if found.broken is not None:
        return wrong(found.broken, INSTALL[backend])
    absent = _absent(around, backend)
    # Where engines are run, they may be built as well.
    if absent.status is Status.NOT_APPLICABLE and _find_inference(around, backend).path is None:
        return absent
    return missing(f"none of {', '.join(_FILES[backend].parser)} was found", INSTALL[backend])


def _python_is_there(backend: str) -> bool:
    return any(is_importable(name) for name in MODULES[backend])
