"""The depthwise operator beside ONNX Runtime's Conv, PyTorch's and a copy: `python benchmarks/depthwise.py`.

All contenders of a row take turns in one process, with two threads each, fp32; a ratio is the median over the rounds.
Writes results/kernels/depthwise.json and DEPTHWISE.md.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
RESULT = HERE / "results" / "kernels" / "depthwise.json"
THREADS = 2
ROUNDS, WARMUP = 21, 3
CALLS = 3
"""In each turn; the last is measured, with caches and threads as in a loop."""
SETTLE_S = 0.01
"""Waited before every turn: threads of the contender before spin for a while, on processors that the next one needs."""
SHAPES = ((64, 9, 60, 104), (256, 5, 30, 52), (320, 16, 32, 32), (128, 17, 64, 64))
"""C, T, H, W: layers of Wan's and Turbo-VAED's decoders at 480p, and of U-Nets."""
KERNELS = ((3, 3, 3), (5, 5, 5), (1, 3, 3), (3, 1, 1))
GOALS = {
    "plain": {(3, 3, 3): 8.0, (5, 5, 5): 8.0, (1, 3, 3): 4.0, (3, 1, 1): 2.0},
    "causal": {(3, 3, 3): 10.0, (5, 5, 5): 10.0, (1, 3, 3): 5.0, (3, 1, 1): 3.0},
}
"""Times as fast as ONNX Runtime's Conv, in the geometric mean over the shapes."""
ISAS = ("", "avx2")
"""Values of VIDRT_ISA; the empty one takes the best that the processor has."""


@dataclasses.dataclass(frozen=True)
class Row:
    """One convolution; milliseconds of each contender, by round."""

    form: str
    kernel: tuple[int, int, int]
    shape: tuple[int, int, int, int]
    times: dict[str, list[float]]

    def ratio(self, contender: str) -> float:
        """How many times as long a contender takes as vidrt."""
        rounds = zip(self.times[contender], self.times["vidrt"], strict=True)
        return statistics.median(other / ours for other, ours in rounds)


def model(form: str, kernel: tuple[int, int, int], channels: int, stock: bool) -> bytes:
    """A graph of one convolution over (1,C,T,H,W), by stock operators or by vidrt's.

    `plain`: padded to the same size. `causal`: frames of zeros in front, bias and SiLU.
    """
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(0)
    weights = [numpy_helper.from_array(random.standard_normal((channels, 1, *kernel), np.float32), "w")]
    inputs = ["x", "w"]
    if form == "causal":
        weights.append(numpy_helper.from_array(random.standard_normal(channels, np.float32), "b"))
        inputs.append("b")
    reach = [size // 2 for size in kernel]
    if not stock:
        attributes = {"temporal_padding": "causal", "activation": "silu"} if form == "causal" else {}
        nodes = [helper.make_node("DepthwiseConv3d", inputs, ["y"], domain="vidrt", **attributes)]
    elif form == "plain":
        nodes = [helper.make_node("Conv", inputs, ["y"], group=channels, pads=[*reach, *reach])]
    else:
        pads = np.array([0, 0, kernel[0] - 1, 0, 0, 0, 0, 0, 0, 0], np.int64)
        weights.append(numpy_helper.from_array(pads, "pads"))
        space = [0, reach[1], reach[2]]
        nodes = [
            helper.make_node("Pad", ["x", "pads"], ["padded"]),
            helper.make_node("Conv", ["padded", "w", "b"], ["c"], group=channels, pads=[*space, *space]),
            helper.make_node("Sigmoid", ["c"], ["s"]),
            helper.make_node("Mul", ["c", "s"], ["y"]),
        ]
        nodes = nodes[1:] if kernel[0] == 1 else nodes
        if kernel[0] == 1:
            nodes[0].input[0] = "x"
    shape = [1, channels, "T", "H", "W"]
    graph = helper.make_graph(
        nodes,
        "convolution",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        weights,
    )
    opsets = [helper.make_opsetid("", 22), helper.make_opsetid("vidrt", 1)]
    serialised: bytes = helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString()
    return serialised


def onnxruntime_contender(serialised: bytes, x: Any, y: Any) -> Callable[[], None]:
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


def measure(form: str, kernel: tuple[int, int, int], shape: tuple[int, int, int, int]) -> Row:
    """All contenders of one convolution, in turns."""
    import numpy as np
    import torch

    torch.set_num_threads(THREADS)
    channels = shape[0]
    x = np.random.default_rng(1).standard_normal((1, *shape), np.float32)
    ours, stock, copied = np.empty_like(x), np.empty_like(x), torch.empty((1, *shape))
    contenders = {
        "vidrt": onnxruntime_contender(model(form, kernel, channels, stock=False), x, ours),
        "onnxruntime": onnxruntime_contender(model(form, kernel, channels, stock=True), x, stock),
    }
    source = torch.from_numpy(x)
    contenders["copy"] = lambda: copied.copy_(source)
    if form == "plain":
        layer = torch.nn.Conv3d(
            channels, channels, kernel, padding=[k // 2 for k in kernel], groups=channels, bias=False
        )
        layer = layer.to(memory_format=torch.channels_last_3d)
        last = source.contiguous(memory_format=torch.channels_last_3d)

        def with_pytorch() -> None:
            with torch.inference_mode():
                layer(last)

        contenders["pytorch"] = with_pytorch
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
    error = np.abs(ours - stock).max() / max(1.0, np.abs(stock).max())
    assert error < 1e-5, f"{form} {kernel} {shape}: results differ by {error}"
    return Row(form, kernel, shape, times)


def worker() -> None:
    """Measure everything with this process's instruction set; print JSON lines."""
    for form in GOALS:
        for kernel in KERNELS:
            for shape in SHAPES:
                print(json.dumps(dataclasses.asdict(measure(form, kernel, shape))), flush=True)


def by_x(sizes: tuple[int, ...]) -> str:
    """As people write sizes: 3x3x3."""
    return "x".join(map(str, sizes))


def section(isa: str, form: str, rows: list[Row]) -> str:
    """One table as Markdown."""
    title = {"plain": "padded to the same size", "causal": "causal, with bias and SiLU"}[form]
    others = [name for name in rows[0].times if name != "vidrt"]
    lines = [f"## {isa or 'best instruction set'}, {title}", ""]
    lines.append("| kernel | CxTxHxW | vidrt ms | " + " | ".join(f"{name}, times as long" for name in others) + " |")
    lines.append("|---" * (3 + len(others)) + "|")
    for kernel in KERNELS:
        own = [row for row in rows if row.kernel == kernel]
        for row in own:
            ratios = " | ".join(f"{row.ratio(name):.2f}" for name in others)
            median = statistics.median(row.times["vidrt"])
            lines.append(f"| {by_x(kernel)} | {by_x(row.shape)} | {median:.2f} | {ratios} |")
        means = [statistics.geometric_mean(row.ratio(name) for row in own) for name in others]
        shown = " | ".join(
            f"**{mean:.2f}**" + (f" (goal {GOALS[form][kernel]:.0f})" if name == "onnxruntime" else "")
            for name, mean in zip(others, means, strict=True)
        )
        lines.append(f"| {by_x(kernel)} | **geometric mean** | | {shown} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure each instruction set in a process of its own, and write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--remark", default="", help="what the reader of the figures must know")
    arguments = parser.parse_args()
    if arguments.worker:
        return worker()
    results: dict[str, list[dict[str, Any]]] = {}
    for isa in ISAS:
        print(f"instruction set: {isa or 'the best'} ...", flush=True)
        command = [sys.executable, str(HERE / "depthwise.py"), "--worker"]
        done = subprocess.run(
            command, env=os.environ | {"VIDRT_ISA": isa}, stdout=subprocess.PIPE, text=True, check=False
        )
        if done.returncode != 0:
            sys.exit(f"error: measuring {isa or 'the best instruction set'} failed")
        results[isa] = [json.loads(line) for line in done.stdout.splitlines()]
    from run import machine

    record = {"schema_version": 1, "machine": machine(), "remark": arguments.remark, "rows": results}
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(record, indent=1) + "\n")
    header = [
        "# Depthwise 3D convolution on the processor",
        "",
        f"Made by `python benchmarks/depthwise.py`; do not edit. {record['machine']['processor']}, {THREADS} threads, "
        f"fp32; the contenders of a row take turns, medians of {ROUNDS} rounds. `onnxruntime` is its own "
        "graph of Pad, Conv, Sigmoid and Mul; `pytorch` has channels last, its best layout; `copy` moves X to Y.",
        "",
    ]
    if arguments.remark:
        header += [f"**{arguments.remark}**", ""]
    sections = [
        section(
            isa,
            form,
            [
                Row(**row | {"kernel": tuple(row["kernel"]), "shape": tuple(row["shape"])})
                for row in rows
                if row["form"] == form
            ],
        )
        for isa, rows in results.items()
        for form in GOALS
    ]
    (HERE / "DEPTHWISE.md").write_text("\n".join(header) + "\n" + "\n".join(sections))
    print(f"wrote {HERE / 'DEPTHWISE.md'}")


if __name__ == "__main__":
    main()
