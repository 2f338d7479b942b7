"""What TensorRT itself makes of vidrt's networks and options without a GPU; run in a process of its own, see probe.py.

Arguments: the folder of TensorRT's libraries, the bundle, the plugin library ("" for none). Reads a JSON list of
BuildOptions from standard input. Writes one JSON object: version; configured: [{flags, errors}], one for each;
parsed: {module: {variant: {plugins, errors}}}.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from probe import load

from vidrt.engine.builder.build_log import BuildLog, make_logger
from vidrt.engine.builder.flavour import Flavour, load_plugins
from vidrt.engine.builder.monitor import BuildProgress, make_monitor
from vidrt.engine.builder.network import Job, make_config, parse_graph, shape_profile
from vidrt.engine.builder.options import BuildOptions
from vidrt.engine.builder.profile import module_profile, video_sizes
from vidrt.engine.bundle import Bundle


def configure(flavour: Flavour, builder: Any, log: BuildLog, settings: dict[str, Any]) -> dict[str, Any]:
    """The names of the flags that options set."""
    before = len(log.errors)
    plugins = tuple(Path(path) for path in settings.pop("plugins", ()))
    options = BuildOptions("tensorrt", plugins=plugins, **settings)
    config = make_config(flavour, builder, options)
    config.progress_monitor = make_monitor(flavour.api, BuildProgress())
    timing = config.create_timing_cache(b"")
    assert config.set_timing_cache(timing, False)
    assert bytes(timing.serialize())
    flags = dict(flavour.api.BuilderFlag.__members__)
    flags.pop("WEIGHTLESS", None)  # an older name of STRIP_PLAN
    return {
        "flags": sorted(name for name, flag in flags.items() if config.get_flag(flag)),
        "level": config.builder_optimization_level,
        "workspace": config.get_memory_pool_limit(flavour.api.MemoryPoolType.WORKSPACE),
        "compatibility": config.hardware_compatibility_level.name,
        "serialized": list(config.plugins_to_serialize),
        "errors": log.errors[before:],
    }


def parse(flavour: Flavour, builder: Any, logger: Any, log: BuildLog, bundle: Bundle, wanted: str) -> dict[str, Any]:
    """The variants of every module that TensorRT is for; with custom operators only where there are plugins."""
    sizes = video_sizes(bundle.manifest, BuildOptions("tensorrt"))
    found: dict[str, Any] = {}
    for name, module in bundle.modules.items():
        for variant in module.variants:
            if "tensorrt" in variant.backends and (wanted or not variant.custom_ops):
                profile = module_profile(bundle.manifest, name, variant.inputs, sizes)
                job = Job(name, bundle.resolve(variant.file), profile)
                network = parse_graph(flavour, job, builder, logger, log)
                config = make_config(flavour, builder, BuildOptions("tensorrt"))
                accepted = config.add_optimization_profile(shape_profile(builder, network.network, job))
                layers = [network.network.get_layer(index).type.name for index in range(network.network.num_layers)]
                found.setdefault(name, {})[variant.id] = {"plugins": layers.count("PLUGIN_V3"), "profile": accepted}
    return found


def main() -> None:
    """Answer the request."""
    api = load(Path(sys.argv[1]))
    flavour = Flavour("tensorrt", api.__version__, api)
    log = BuildLog()
    logger = make_logger(api, log)
    builder = api.Builder(logger)
    if sys.argv[3]:
        load_plugins(flavour, Path(sys.argv[3]))
    configured = [configure(flavour, builder, log, settings) for settings in json.load(sys.stdin)]
    parsed = parse(flavour, builder, logger, log, Bundle(sys.argv[2]), sys.argv[3])
    print(json.dumps({"version": flavour.version, "configured": configured, "parsed": parsed, "errors": log.errors}))


if __name__ == "__main__":
    main()
