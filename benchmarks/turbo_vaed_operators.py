"""Where Turbo-VAED's decoder spends its time, with vidrt's operators and without: writes TURBO_VAED_OPERATORS.md.

The published LTX configuration with random weights, at the size of the scenario turbo-vaed-operator, in ONNX Runtime's
profiler. Shares alone, which other work on the machine changes little; the scenario has the times.
"""

from __future__ import annotations

import argparse
import math
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from depthwise_report import by_x
from make_bundle import make_turbo_vaed_bundle
from operators import milliseconds

import vidrt
from vidrt.engine.bench.scenario import MadeBundle, read_scenario

HERE = Path(__file__).resolve().parent
REPORT = HERE / "TURBO_VAED_OPERATORS.md"
RUNS, WARMUP = 5, 1
NORM = ("ReduceMean", "Pow", "Sqrt", "Reciprocal", "Mul", "Add", "Sub")
SMALLEST = 0.0002
"""Kinds of a smaller share are added up."""


def kind(event: dict[str, Any]) -> str:
    """Convolutions by what they sum over; what norms are made of; else the operator."""
    name: str = event["args"]["op_name"]
    if name in ("Conv", "FusedConv"):
        x, weight = (next(iter(one.values())) for one in event["args"]["input_type_shape"][:2])
        taps = math.prod(weight[2:])
        if weight[1] == 1 and x[1] > 1:
            return f"Conv, one filter a channel ({taps} taps)"
        return "Conv, all channels, 1x1x1" if taps == 1 else "Conv, all channels, 3x3x3 or 1x3x3"
    return "norms: " + ", ".join(NORM) if name in NORM else name


def table(shares: dict[str, Counter[str]]) -> str:
    """The shares of each kind, by variant, as Markdown."""
    names = dict.fromkeys(name for times in shares.values() for name in times)
    rows = {name: [times[name] / times.total() for times in shares.values()] for name in names}
    shown = sorted((name for name in rows if max(rows[name]) >= SMALLEST), key=lambda name: -max(rows[name]))
    rows["others"] = [1 - sum(column) for column in zip(*(rows[name] for name in shown), strict=True)]
    lines = ["| kernels | " + " | ".join(shares) + " |", "|---" * (1 + len(shares)) + "|"]
    lines += [f"| {name} | " + " | ".join(f"{one:.2%}" for one in rows[name]) + " |" for name in [*shown, "others"]]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Export, profile both variants, and write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2, help="compute threads")
    threads: int = parser.parse_args().threads
    scenario = read_scenario(HERE / "scenarios" / "turbo-vaed-operator.json")
    assert isinstance(scenario.bundle, MadeBundle)
    preset = scenario.bundle.preset
    assert preset is not None
    size = scenario.cases[0].latents
    assert size is not None
    with tempfile.TemporaryDirectory() as folder:
        path = make_turbo_vaed_bundle(preset, Path(folder) / "bundle")
        bundle = vidrt.Bundle(path)
        variants = {variant.id: variant.file for variant in bundle.modules["vae_decoder"].variants}
        shape = (1, bundle.manifest.vae.latent_channels, *size)
        inputs = {"latents": np.random.default_rng(0).standard_normal(shape, np.float32)}
        shares = {
            title: milliseconds(path / variants[one], inputs, threads, kind=kind, runs=RUNS, warmup=WARMUP)
            for title, one in (("vidrt's operators", "vidrt"), ("stock graph", "fp32"))
        }
    text = (
        "Made by `python benchmarks/turbo_vaed_operators.py`; do not edit. "
        f"Preset {preset}, {by_x(size)} latents, ONNX Runtime {onnxruntime.__version__}, {threads} "
        f"threads, fp32, means of {RUNS} runs. Shares of the time in kernels."
    )
    REPORT.write_text(f"# Where Turbo-VAED's decoder spends its time\n\n{text}\n\n{table(shares)}")
    print(f"wrote {REPORT}")


if __name__ == "__main__":
    main()
