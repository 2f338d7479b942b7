"""What benchmarks/depthwise.py measured, as Markdown."""

from __future__ import annotations

import dataclasses
import statistics
from typing import Any

from depthwise_graphs import FORMS

GOALS = {
    ("plain", (3, 3, 3)): 8,
    ("plain", (5, 5, 5)): 8,
    ("plain", (1, 3, 3)): 4,
    ("plain", (3, 1, 1)): 2,
    ("causal", (3, 3, 3)): 10,
    ("causal", (5, 5, 5)): 10,
    ("causal", (1, 3, 3)): 5,
    ("causal", (3, 1, 1)): 3,
}
"""Times as fast as ONNX Runtime's Conv, in the geometric mean over the shapes."""
MATRIX = 1024
"""Rows and columns of the matrices whose product shows what the processor's arithmetic can reach."""


@dataclasses.dataclass(frozen=True)
class Row:
    """One convolution; milliseconds of each contender, by round."""

    form: str
    kernel: tuple[int, int, int]
    shape: tuple[int, int, int, int]
    times: dict[str, list[float]]

    @staticmethod
    def from_json(data: dict[str, Any]) -> Row:
        """The row that was written."""
        return Row(data["form"], tuple(data["kernel"]), tuple(data["shape"]), data["times"])

    def ratio(self, contender: str) -> float:
        """How many times as long a contender takes as vidrt."""
        rounds = zip(self.times[contender], self.times["vidrt"], strict=True)
        return statistics.median(other / ours for other, ours in rounds)

    def products(self) -> int:
        """Multiplications. Frames that lie outside the clip are left out, as vidrt does."""
        channels, frames, height, width = self.shape
        before = self.kernel[0] - 1 if self.form == "causal" else self.kernel[0] // 2
        pairs = sum(0 <= t - before + tap < frames for t in range(frames) for tap in range(self.kernel[0]))
        pointwise = channels * frames if self.form == "separable" else 0
        return channels * height * width * (pairs * self.kernel[1] * self.kernel[2] + pointwise)

    def arithmetic_share(self) -> float:
        """Of the products a second that PyTorch's matrix product reaches, what vidrt reaches."""
        return self.ratio("matmul") * self.products() / MATRIX**3


def by_x(sizes: tuple[int, ...]) -> str:
    """As people write sizes: 3x3x3."""
    return "x".join(map(str, sizes))


def section(isa: str, form: str, rows: list[Row]) -> str:
    """One table."""
    others = [name for name in rows[0].times if name not in ("vidrt", "matmul")]
    titles = ["kernel", "CxTxHxW", "vidrt ms", "of the arithmetic", *(f"{name}, times as long" for name in others)]
    lines = [f"## {isa or 'best instruction set'}, {FORMS[form]}", ""]
    lines += ["| " + " | ".join(titles) + " |", "|---" * len(titles) + "|"]
    for kernel in dict.fromkeys(row.kernel for row in rows):
        own = [row for row in rows if row.kernel == kernel]
        for row in own:
            cells = [by_x(kernel), by_x(row.shape), f"{statistics.median(row.times['vidrt']):.2f}"]
            cells += [f"{100 * row.arithmetic_share():.0f} %", *(f"{row.ratio(name):.2f}" for name in others)]
            lines.append("| " + " | ".join(cells) + " |")
        means = [f"**{statistics.geometric_mean(row.ratio(name) for row in own):.2f}**" for name in others]
        if (form, kernel) in GOALS:
            means[others.index("onnxruntime")] += f" (goal {GOALS[form, kernel]})"
        lines.append(f"| {by_x(kernel)} | **geometric mean** | | | " + " | ".join(means) + " |")
    return "\n".join(lines) + "\n"


def report(record: dict[str, Any], threads: int, rounds: int) -> str:
    """All tables of a record that depthwise.py wrote."""
    lines = [
        "# Depthwise 3D convolution on the processor",
        "",
        f"Made by `python benchmarks/depthwise.py`; do not edit. {record['machine']['processor']}, {threads} threads, "
        f"fp32; the contenders of a row take turns, medians of {rounds} rounds. `onnxruntime` is its own graph of Pad, "
        "Conv, Sigmoid and Mul; `pytorch` has channels last, its best layout; `copy` moves X to Y; `two operators` are "
        "vidrt's depthwise convolution and ONNX Runtime's 1x1x1 one. *Of the arithmetic*: products a second beside "
        f"those of a {MATRIX}x{MATRIX} matrix product in PyTorch, in the same rounds.",
        "",
    ]
    if record["remark"]:
        lines += [f"**{record['remark']}**", ""]
    tables = []
    for isa, data in record["rows"].items():
        rows = [Row.from_json(one) for one in data]
        tables += [section(isa, form, own) for form in FORMS if (own := [row for row in rows if row.form == form])]
    return "\n".join(lines) + "\n" + "\n".join(tables)
