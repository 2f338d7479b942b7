"""Where the library lies that gives vidrt's operators to any ONNX Runtime session."""

from __future__ import annotations

from pathlib import Path

from vidrt import _core
from vidrt.engine.errors import BackendError

_NAME = "libvidrt_ort_ops.so"


def custom_ops_library() -> Path:
    """The library that has `vidrt::DepthwiseConv3d` and `vidrt::DepthwiseSeparableConv3d` for ONNX Runtime on the CPU.

    A session registers it with `SessionOptions.register_custom_ops_library`; those that vidrt makes itself have the
    operators without it. It needs ONNX Runtime 1.21 or later, and is not loaded here.

    Returns:
        The file, beside the compiled core.

    Raises:
        BackendError: The file is not there; the message says what to do.
    """
    library = Path(_core.__file__).with_name(_NAME)
    if not library.is_file():
        raise BackendError(
            f"{library} is missing: this installation of vidrt is not whole. "
            "Install the package again (pip install --force-reinstall vidrt); in the sources, run `make build`."
        )
    return library
