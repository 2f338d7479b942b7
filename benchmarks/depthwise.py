"""The convolution operators beside ONNX Runtime's Conv, PyTorch's and a copy: `python benchmarks/depthwise.py`.

All contenders of a row take turns in one process, with two threads each, fp32; a ratio is the median over the rounds.
Writes results/kernels/depthwise.json and DEPTHWISE.md.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from depthwise_graphs import graphs
from depthwise_report import MATRIX, Row, by_x, report

HERE = Path(__file__).resolve().parent
RESULT = HERE / "results" / "kernels" / "depthwise.json"
THREADS = 2
ROUNDS, WARMUP = 15, 2
CALLS = 3
"""In each turn; the last is measured, with caches and threads as in a loop."""
SETTLE_S = 0.01
"""Waited before every turn: threads of the contender before spin for a while, on processors that the next one needs."""
SHAPES = ((64, 9, 60, 104), (256, 5, 30, 52), (320, 16, 32, 32), (128, 17, 64, 64))
"""C, T, H, W: layers of Wan's and Turbo-VAED's decoders at 480p, and of U-Nets."""
KERNELS = {
    "plain": ((3, 3, 3), (5, 5, 5), (1, 3, 3), (3, 1, 1)),
    "causal": ((3, 3, 3), (5, 5, 5), (1, 3, 3), (3, 1, 1)),
    "separable": ((3, 3, 3), (5, 5, 5)),
}
"""By form."""
ISAS = ("", "avx2")
"""Values of VIDRT_ISA; the empty one takes the best that the processor has."""


def in_onnxruntime(serialised: bytes, x: Any, y: Any) -> Callable[[], None]:
    """Run a graph from x into y, both numpy arrays that stay where they are."""
    import onnxruntime

    import vidrt

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    options.register_custom_ops_library(str(vidrt.custom_ops_library()))
    session = onnxruntime.InferenceSession(serialised, options, providers=["CPUExecutionProvider"])
    binding = session.io_binding()
    binding.bind_input("x", "cpu", 0, x.dtype, x.shape, x.ctypes.data)
    binding.bind_output("y", "cpu", 0, y.dtype, y.shape, y.ctypes.data)
    return lambda: session.run_with_iobinding(binding)


def in_pytorch(kernel: tuple[int, int, int], x: Any) -> Callable[[], None]:
    """The plain form in channels-last memory."""
    import torch

    channels = x.shape[1]
    padding = (kernel[0] // 2, kernel[1] // 2, kernel[2] // 2)
    layer = torch.nn.Conv3d(channels, channels, kernel, padding=padding, groups=channels, bias=False)
    layer.weight.data = layer.weight.data.to(memory_format=torch.channels_last_3d)
    last = x.contiguous(memory_format=torch.channels_last_3d)

    def run() -> None:
        with torch.inference_mode():
            layer(last)

    return run


def measure(form: str, kernel: tuple[int, int, int], shape: tuple[int, int, int, int]) -> Row:
    """All contenders of one convolution, in turns."""
    import numpy as np
    import torch

    torch.set_num_threads(THREADS)
    x = np.random.default_rng(1).standard_normal((1, *shape), np.float32)
    models = graphs(form, kernel, shape[0])
    results = {name: np.empty_like(x) for name in models}
    contenders: dict[str, Callable[[], object]] = {
        name: in_onnxruntime(model, x, results[name]) for name, model in models.items()
    }
    source, copied = torch.from_numpy(x), torch.empty((1, *shape))
    contenders["copy"] = lambda: copied.copy_(source)
    left, right, product = torch.rand(MATRIX, MATRIX), torch.rand(MATRIX, MATRIX), torch.empty(MATRIX, MATRIX)
    contenders["matmul"] = lambda: torch.mm(left, right, out=product)
    if form == "plain":
        contenders["pytorch"] = in_pytorch(kernel, source)
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for index in range(WARMUP + ROUNDS):
        for name, run in contenders.items():
            time.sleep(SETTLE_S)
            for _ in range(CALLS - 1):
                run()
            start = time.perf_counter()
            run()
            if index >= WARMUP:
                times[name].append(1000 * (time.perf_counter() - start))
    stock = results["onnxruntime"]
    for name, result in results.items():
        error = np.abs(result - stock).max() / max(1.0, np.abs(stock).max())
        assert error < 1e-5, f"{form} {kernel} {shape}: results of {name} differ by {error}"
    return Row(form, kernel, shape, times)


def worker() -> None:
    """Measure everything with this process's instruction set; print JSON lines."""
    for form, kernels in KERNELS.items():
        for kernel in kernels:
            for shape in SHAPES:
                print(f"  {form} {by_x(kernel)}, {by_x(shape)} ...", file=sys.stderr, flush=True)
                print(json.dumps(dataclasses.asdict(measure(form, kernel, shape))), flush=True)


def main() -> None:
    """Measure each instruction set in a process of its own, and write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--remark", default="", help="what the reader of the figures must know")
    arguments = parser.parse_args()
    if arguments.worker:
        return worker()
    rows: dict[str, list[dict[str, Any]]] = {}
    for isa in ISAS:
        print(f"instruction set: {isa or 'the best'} ...", flush=True)
        command = [sys.executable, str(HERE / "depthwise.py"), "--worker"]
        done = subprocess.run(
            command, env=os.environ | {"VIDRT_ISA": isa}, stdout=subprocess.PIPE, text=True, check=False
        )
        if done.returncode != 0:
            sys.exit(f"error: measuring {isa or 'the best instruction set'} failed")
        rows[isa] = [json.loads(line) for line in done.stdout.splitlines()]
    from vidrt.engine.bench.machine import this_machine

    record = {"schema_version": 1, "machine": this_machine().model_dump(), "remark": arguments.remark, "rows": rows}
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(record, indent=1) + "\n")
    (HERE / "DEPTHWISE.md").write_text(report(record, THREADS, ROUNDS))
    print(f"wrote {HERE / 'DEPTHWISE.md'}")


if __name__ == "__main__":
    main()
