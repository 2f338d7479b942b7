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

    On the left every tensor of the arena is a bar from its first to its last stage, at its offset; on the right stand
    weights by module, what backends hold besides, the arena and, where they were measured, activations.

    Raises:
        BackendError: matplotlib is not installed.
        IoError: The file cannot be written.
    """
    figure = new_figure(11, 6)
    tensors, total = figure.subplots(1, 2, width_ratios=(3, 1))
    _draw_tensors(plan, tensors)
    _draw_total(plan, total)
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


def _draw_total(plan: GenerationPlan, axes: Any) -> None:
    parts = [("weights", plan.weight_bytes)]  # of a stage alone
    if plan.residency == "all":
        single = [module for module in plan.modules if not module.name.startswith("vae_decoder")]
        parts = [(f"weights of {module.name}", module.resident_bytes) for module in single]
        # The steps of a decoder share theirs.
        parts.append(("weights of the decoder", plan.weight_bytes - sum(size for _, size in parts)))
    parts += [("held besides", plan.packed_bytes), ("arena", plan.arena_bytes), ("activations", plan.activation_bytes)]
    bottom = 0.0
    for name, size in parts:
        if size:
            axes.bar(0, size / _MIB, 0.8, bottom, label=f"{plain(name)}: {size / _MIB:.1f}")
            bottom += size / _MIB
    axes.set_xticks([])
    axes.set_ylabel("MiB")
    axes.set_title("together" if plan.activations_known else "together, activations not measured", fontsize=10)
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(handles[::-1], labels[::-1], fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.02))
