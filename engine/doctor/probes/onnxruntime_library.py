"""Load ONNX Runtime as a pipeline does, and print what it is or what is wrong, as JSON."""

import json

from vidrt import _core
from vidrt.engine.errors import BackendError
from vidrt.engine.onnxruntime_location import announce_onnxruntime

if __name__ == "__main__":
    announce_onnxruntime()
    try:
        print(json.dumps({**_core.onnxruntime_facts(), "providers": _core.onnxruntime_providers()}))
    except BackendError as error:
        print(json.dumps({"error": str(error)}))
