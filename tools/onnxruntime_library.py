#!/usr/bin/env python3
"""Print the path of the ONNX Runtime library in this interpreter's wheel, or nothing where there is none."""

from importlib.util import find_spec
from pathlib import Path

spec = find_spec("onnxruntime")
if spec is not None and spec.origin is not None:
    found = sorted((Path(spec.origin).parent / "capi").glob("libonnxruntime.so.*"))
    if found:
        print(found[-1])
