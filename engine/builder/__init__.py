"""TensorRT engines from a bundle: built here or on the device, and kept in a cache (docs/engines.md)."""

from vidrt.engine.builder.builder import BuildEvent, BuiltEngine, build_engines
from vidrt.engine.builder.cache import EngineCache
from vidrt.engine.builder.find import find_engine
from vidrt.engine.builder.options import BuildOptions, Range
from vidrt.engine.builder.sidecar import Engine, Sidecar

__all__ = [
    "BuildEvent",
    "BuildOptions",
    "BuiltEngine",
    "Engine",
    "EngineCache",
    "Range",
    "Sidecar",
    "build_engines",
    "find_engine",
]
