"""Load PyAV and print its version and which of vidrt's encoders it has, as JSON."""

import json

import av

from vidrt.engine.writers.pyav import CODECS

if __name__ == "__main__":
    has = {suffix: codec in av.codecs_available for suffix, codec in CODECS.items()}
    print(json.dumps({"version": av.__version__, "formats": has}))
