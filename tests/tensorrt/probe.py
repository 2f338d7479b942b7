"""What TensorRT makes of the plugin library on a machine without a GPU; run in a process of its own.

TensorRT ends the process on some errors, and works without a driver only where TRT_INTERNAL_OPTIONS says so before it
is loaded. Reads one JSON request from standard input and writes one JSON answer to standard output; see `answer`.
"""

from __future__ import annotations

import base64
import ctypes
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np


def load(libraries: Path) -> Any:
    """Load TensorRT's libraries by their paths, then the bindings that look for them by name."""
    (runtime,) = (libraries / "python" / "nvidia").glob("cu*/lib/libcudart.so.*")
    names = ("libnvinfer.so.10", "libnvinfer_plugin.so.10", "libnvonnxparser.so.10")
    for path in (runtime, *(libraries / "lib" / name for name in names)):
        ctypes.CDLL(str(path), ctypes.RTLD_GLOBAL)
    sys.path.insert(0, str(libraries / "python"))
    import tensorrt_bindings

    return tensorrt_bindings


def answer(trt: Any, request: dict[str, Any]) -> dict[str, Any]:
    """Load the library, create the plugins asked for and parse the models.

    request: library; create: [{op, fields}]; models: [base64 of an ONNX file].
    answer: version; creators: [{name, version, namespace, fields}]; created: [true where a plugin came];
    parsed: [{ok, errors, layers: [{name, type, outputs: [{name, shape, dtype}]}]}]; log: [errors].
    """
    log: list[str] = []

    class Log(trt.ILogger):
        def log(self, severity: Any, message: str) -> None:
            if severity <= trt.ILogger.Severity.ERROR:
                log.append(message)

        def __init__(self) -> None:
            trt.ILogger.__init__(self)

    logger = Log()
    builder = trt.Builder(logger)
    registry = trt.get_plugin_registry()
    registry.load_library(request["library"])
    creators = [creator for creator in registry.all_creators if creator.plugin_namespace == "vidrt"]
    return {
        "version": trt.__version__,
        "creators": [
            {
                "name": creator.name,
                "version": creator.plugin_version,
                "namespace": creator.plugin_namespace,
                "fields": [field.name for field in creator.field_names],
            }
            for creator in creators
        ],
        "created": [create(trt, registry, **item) is not None for item in request["create"]],
        "parsed": [parse(trt, builder, logger, base64.b64decode(model)) for model in request["models"]],
        "log": log,
    }


def create(trt: Any, registry: Any, op: str, fields: dict[str, Any]) -> Any:
    """A plugin from fields whose values are words or lists of numbers."""
    values = [
        trt.PluginField(name, value.encode(), trt.PluginFieldType.CHAR)
        if isinstance(value, str)
        else trt.PluginField(name, np.array(value, np.int32), trt.PluginFieldType.INT32)
        for name, value in fields.items()
    ]
    creator = registry.get_creator(op, "1", "vidrt")
    return creator.create_plugin("made", trt.PluginFieldCollection(values), trt.TensorRTPhase.BUILD)


def parse(trt: Any, builder: Any, logger: Any, model: bytes) -> dict[str, Any]:
    """The layers of the network that a model becomes; none where it is refused."""
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, logger)
    ok = parser.parse(model)
    # A network that was refused halfway has layers without shapes.
    layers = [network.get_layer(i) for i in range(network.num_layers)] if ok else []
    return {
        "ok": ok,
        "errors": [parser.get_error(i).desc() for i in range(parser.num_errors)],
        "layers": [
            {
                "name": layer.name,
                "type": layer.type.name,
                "outputs": [
                    {"name": tensor.name, "shape": list(tensor.shape), "dtype": tensor.dtype.name}
                    for tensor in (layer.get_output(i) for i in range(layer.num_outputs))
                ],
            }
            for layer in layers
        ],
    }


if __name__ == "__main__":
    print(json.dumps(answer(load(Path(sys.argv[1])), json.load(sys.stdin))))
