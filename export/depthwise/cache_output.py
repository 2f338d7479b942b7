"""The next call's cache: the last frames of what stands before a clip and the clip itself."""

from __future__ import annotations

import onnx_ir as ir

from vidrt.export.depthwise.graph_queries import TIME_AXIS, static_size, takes_last_frames, time_slice
from vidrt.export.depthwise.padding import AxisPadding, PaddedClip, read_padding


def find_cache_outputs(seen: PaddedClip) -> list[ir.Node]:
    """Slices that give the cache that the operator would give: seen.time.before frames.

    They need not read what the convolution reads: optimisers pull zero padding into the convolution and leave it
    standing beside, for the cache alone.

    Args:
        seen: A causal convolution's input: all padding in time is before the clip.
    """
    wanted = PaddedClip(seen.clip, AxisPadding(seen.time.before, 0, seen.time.mode), cache=seen.cache)
    padded = [
        use.node.outputs[0]
        for use in seen.clip.uses()
        if use.node.op_type in ("Pad", "Concat") and read_padding(use.node.outputs[0]) == wanted
    ]
    return [
        use.node
        for value in dict.fromkeys(padded)
        for use in value.uses()
        if use.idx == 0 and _takes_last_frames(use.node, seen.time.before)
    ]


def _takes_last_frames(node: ir.Node, count: int) -> bool:
    bounds = time_slice(node)
    return bounds is not None and takes_last_frames(bounds, count, static_size(node.inputs[0], TIME_AXIS))
