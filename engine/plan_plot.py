"""A generation's memory as a picture: the arena's tensors over the stages, and what the total is made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vidrt.engine.plan import GenerationPlan
from vidrt.engine.plotting import new_figure, plain, save_figure

_MIB = 2**20
_SMALLEST_LABEL = 0.03
"""Of the arena's height: a name in a lower bar could not be read."""


def draw_plan(plan: GenerationPlan, path: Path) -> None:
    """Draw a plan into a PNG file, which is replaced.

    On the left every tensor of the arena is a bar from its first to its last stage, at its offset; on the right is what
    each stage takes: weights, what backends hold besides, the arena and, where they were measured, activations.

    Raises:
        BackendError: matplotlib is not installed.
        IoError: The file cannot be written.
    """
    figure = new_figure(11, 6)
    tensors, stages = figure.subplots(1, 2, width_ratios=(3, 2))
    _draw_tensors(plan, tensors)
    _draw_stages(plan, stages)
    figure.suptitle(
        f"{plan.num_frames} frames of {plan.width}x{plan.height}: {plan.total_bytes / _MIB:.1f} MiB, "
        f"modules loaded: {plan.residency.replace('_', ' ')}"
    )
    save_figure(figure, path)


def _draw_tensors(plan: GenerationPlan, axes: Any) -> None:
    for index, tensor in enumerate(plan.tensors):
        bottom, height = tensor.offset / _MIB, tensor.bytes / _MIB
        left, right = tensor.first_stage - 0.48, tensor.last_stage + 0.48
        axes.bar(left, height, right - left, bottom, align="edge", color=f"C{index % 10}", alpha=0.6, edgecolor="black")
        if tensor.bytes >= _SMALLEST_LABEL * plan.arena_bytes:
            axes.text((left + right) / 2, bottom + height / 2, plain(tensor.name), ha="center", va="center", fontsize=8)
    axes.set_xticks(range(len(plan.stages)), [stage.replace("_", " ") for stage in plan.stages])
    axes.set(ylabel="offset in the arena, MiB", xlim=(-0.5, len(plan.stages) - 0.5), ylim=(0, plan.arena_bytes / _MIB))
    without = plan.unshared_bytes / _MIB
    axes.set_title(f"arena {plan.arena_bytes / _MIB:.1f} MiB, {without:.1f} without sharing", fontsize=10)


def _draw_stages(plan: GenerationPlan, axes: Any) -> None:
    parts = {
        "weights": "weight_bytes",
        "held besides": "packed_bytes",
        "activations": "activation_bytes",
        "arena": "arena_bytes",
    }
    bottoms = [0.0] * len(plan.stages)
    for label, part in parts.items():
        sizes = [getattr(stage, part) / _MIB for stage in plan.stage_memory]
        if not any(sizes):
            continue
        axes.bar(range(len(sizes)), sizes, 0.8, bottoms, label=f"{label}: at most {max(sizes):.1f}")
        bottoms = [bottom + size for bottom, size in zip(bottoms, sizes, strict=True)]
    axes.set_xticks(range(len(plan.stages)), [stage.replace("_", "\n") for stage in plan.stages], fontsize=8)
    axes.set_ylabel("MiB")
    axes.set_title("together" if plan.activations_known else "together, activations not measured", fontsize=10)
    handles, texts = axes.get_legend_handles_labels()
    axes.legend(handles[::-1], texts[::-1], fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.1))
