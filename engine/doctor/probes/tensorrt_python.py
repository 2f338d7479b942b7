"""Load a flavour of TensorRT as `vidrt build` does, and print its version or what is wrong, as JSON."""

import json
import sys

from vidrt.engine.builder.flavour import load_flavour
from vidrt.engine.errors import BackendError

if __name__ == "__main__":
    try:
        print(json.dumps({"version": load_flavour(sys.argv[1]).version}))
    except BackendError as error:
        print(json.dumps({"error": str(error)}))
