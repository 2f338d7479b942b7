"""What a process of benchmarks/wan_published.py does: export a folder, generate, build engines, or run one block."""

from __future__ import annotations

import dataclasses
import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # each task imports what it needs: memory is measured
    from vidrt.engine.builder import BuiltEngine

PROMPT = "a red fox runs through deep snow"
_TEXT_LENGTH = 512
_MIB = 2**20


def write(request: dict[str, Any]) -> dict[str, Any]:
    """Write a folder of random weights."""
    from random_weights import DTYPES
    from wan_folder import write_folder

    folder = Path(request["folder"])
    write_folder(request["size"], folder, dtype=DTYPES["bf16"], full=request["full"], layers=request["layers"])
    return {"bytes": sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())}


def export(request: dict[str, Any]) -> dict[str, Any]:
    """`vidrt export wan FOLDER BUNDLE --dtype DTYPE`: what it says of every graph."""
    from vidrt.engine.precision import EVERY_MODULE
    from vidrt.export.exporter import export_bundle
    from vidrt.export.models.wan import load
    from vidrt.export.options import ExportOptions
    from vidrt.export.registry import ModelSource

    dtype = request["dtype"]
    options = ExportOptions({EVERY_MODULE: (dtype,)}, storage=dtype)
    summary = export_bundle(load(ModelSource(Path(request["folder"]))), Path(request["bundle"]), options)
    graphs = [dataclasses.asdict(graph) for graph in summary.graphs]
    return {"weight_bytes": summary.weight_bytes, "graphs": graphs, "resumed": list(summary.resumed)}


def generate(request: dict[str, Any]) -> dict[str, Any]:
    """One step without guidance, and the frames."""
    import vidrt

    pipe = vidrt.TextToVideoPipeline(request["bundle"], memory_budget=request["memory_budget"])
    options = vidrt.GenerateOptions(
        PROMPT, num_inference_steps=1, guidance_scale=1.0, seed=0, output_type="float32", **request["sizes"]
    )
    plan = pipe.plan(options)
    video = pipe.generate(options, vidrt.Callbacks(on_warning=lambda _: None))
    return {
        "residency": plan.residency,
        "plan_mib": plan.total_bytes / _MIB,
        "variants": dict(video.metadata.variants),
        "shape": list(video.frames.shape),
        "deviation": float(video.frames.std()),
        "timings_ms": dataclasses.asdict(video.timings),
    }


def build(request: dict[str, Any]) -> dict[str, Any]:
    """`vidrt build BUNDLE --backend tensorrt-rtx` of some modules in one precision: what TensorRT says of each."""
    from vidrt.engine.builder import BuildOptions, EngineCache, Range, build_engines
    from vidrt.engine.bundle import Bundle

    sizes = {name: Range.parse(name, text) for name, text in request["sizes"].items()}
    options = BuildOptions(
        "tensorrt-rtx",
        modules=tuple(request["modules"]),
        precisions=dict.fromkeys(request["modules"], request["precision"]),
        height=sizes.get("height"),
        width=sizes.get("width"),
        num_frames=sizes.get("num_frames"),
        batch=sizes.get("batch"),
        decode_chunk=sizes.get("decode_chunk"),
    )
    built = build_engines(Bundle(request["bundle"]), options, cache=EngineCache(Path(request["cache"])))
    return {"engines": [_engine(one) for one in built]}


def _engine(built: BuiltEngine) -> dict[str, Any]:
    sidecar = built.engine.sidecar
    outcome = dataclasses.asdict(sidecar.outcome)
    figures = ("bytes", "weight_bytes", "activation_bytes", "scratch_bytes", "build_seconds", "warnings")
    return {
        "module": built.module,
        "precision": sidecar.source.precision,
        "initializer_bytes": sidecar.source.initializer_bytes,
        "version": sidecar.target.version,
        "compute_capabilities": sidecar.target.compute_capabilities,
        "sizes": sidecar.target.sizes,
        "layers": len(sidecar.outcome.layers),
        **{name: outcome[name] for name in figures},
    }


def block(request: dict[str, Any]) -> dict[str, Any]:
    """A run of the denoiser's graph for processors: the most resident memory meanwhile, beyond the open session's."""
    import numpy as np
    import onnxruntime

    from vidrt.engine.process_memory import peak_resident_bytes, reset_peak, resident_bytes

    sizes = json.loads((Path(request["folder"]) / "transformer" / "config.json").read_text())
    latents = request["latents"]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    options.enable_cpu_mem_arena = False  # it would keep what is not in use any more
    before = resident_bytes()
    path = Path(request["bundle"]) / "denoiser.fp32.processor.onnx"
    session = onnxruntime.InferenceSession(str(path), options)
    opened = resident_bytes()
    rng = np.random.default_rng(0)
    feeds = {
        "latents": rng.standard_normal((1, sizes["in_channels"], *latents), np.float32),
        "timestep": np.full((1, latents[0]), 500, np.float32),
        "text_embeds": rng.standard_normal((1, _TEXT_LENGTH, sizes["text_dim"]), np.float32),
        "text_counts": np.ones((1, _TEXT_LENGTH), np.float32),  # the longest prompt
    }
    reset_peak()
    (prediction,) = session.run(None, feeds)
    tokens = math.prod(latents) // math.prod(sizes["patch_size"])
    width = sizes["num_attention_heads"] * sizes["attention_head_dim"]
    return {
        "latents": latents,
        "tokens": tokens,
        "deviation": float(prediction.std()),
        "session_mib": (opened - before) / _MIB,
        "run_mib": (peak_resident_bytes() - opened) / _MIB,
        # docs/wan.md, *Memory of a step*
        "bound_mib": 4 * tokens * (4 * width + 3 * sizes["ffn_dim"]) / _MIB,
        "scores_mib": 4 * tokens**2 * sizes["num_attention_heads"] / _MIB,
    }


_TASKS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    task.__name__: task for task in (write, export, generate, build, block)
}


def run_child(request: dict[str, Any]) -> None:
    """Do what a request says and print a line of JSON, with the seconds that it took."""
    begun = time.perf_counter()
    result = _TASKS[request["task"]](request)
    print(json.dumps({**result, "seconds": time.perf_counter() - begun}, default=str))
