"""Bundles that a scenario names by how they are made: `python benchmarks/make_bundle.py REQUEST FOLDER`.

REQUEST is JSON: the scenario's `bundle`, and as `source` a bundle that decode-only copies. Prints the bundle's path as
a line of JSON. `vidrt bench run` calls it; exports need torch, which vidrt.engine never imports.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def make_turbo_vaed_bundle(preset: str, target: Path) -> Path:
    """Export Turbo-VAED's decoder with random weights; returns target."""
    from vidrt.export.exporter import export_bundle
    from vidrt.export.models.turbo_vaed import load
    from vidrt.export.options import ExportOptions
    from vidrt.export.registry import ModelSource

    export_bundle(load(ModelSource(preset=preset)), target, ExportOptions())
    return target


def make_wan_bundle(layers: int, folder: Path) -> Path:
    """Write a checkpoint of Wan2.1-T2V-1.3B with fewer layers and export it; returns <folder>/bundle."""
    import torch
    from wan_folder import write_folder

    from vidrt.export.exporter import export_bundle
    from vidrt.export.models.wan import load
    from vidrt.export.options import ExportOptions
    from vidrt.export.registry import ModelSource

    checkpoint, bundle = folder / "checkpoint", folder / "bundle"
    full = ("transformer", "vae")
    write_folder("wan2.1-t2v-1.3b", checkpoint, dtype=torch.float32, full=full, layers=layers)
    export_bundle(load(ModelSource(checkpoint)), bundle, ExportOptions(storage="fp32"))
    return bundle


def make_unet3d_bundle(layers: int, folder: Path) -> Path:
    """Write a checkpoint of ModelScope's widths with `layers` a block and export it; returns <folder>/bundle."""
    import torch
    from unet3d_folder import write_folder

    from vidrt.export.exporter import export_bundle
    from vidrt.export.models.unet3d import load
    from vidrt.export.options import ExportOptions
    from vidrt.export.registry import ModelSource

    checkpoint, bundle = folder / "checkpoint", folder / "bundle"
    write_folder(checkpoint, dtype=torch.float32, full=("unet", "vae"), layers=layers)
    export_bundle(load(ModelSource(checkpoint)), bundle, ExportOptions(storage="fp32"))
    return bundle


def make(request: dict[str, Any], folder: Path) -> Path:
    """Make what was asked for in a new folder; returns the bundle's."""
    folder.mkdir(parents=True)
    if request["make"] == "wan":
        return make_wan_bundle(request["layers"], folder)
    if request["make"] == "unet3d":
        return make_unet3d_bundle(request["layers"], folder)
    if request["make"] == "turbo-vaed":
        return make_turbo_vaed_bundle(request["preset"], folder / f"turbo-vaed-{request['preset']}")
    from decode_bundle import make_decode_bundle

    source = Path(request["source"])
    return make_decode_bundle(source, folder / source.name)


if __name__ == "__main__":
    made = make(json.loads(sys.argv[1]), Path(sys.argv[2]))
    print(json.dumps({"bundle": str(made)}))
