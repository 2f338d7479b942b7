"""The decoder of form *causal* as one graph for a whole clip: what the step graphs are in place of."""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import GraphProto, NodeProto, helper


def _renamed(graph: GraphProto, step: int, given: dict[str, str]) -> tuple[list[NodeProto], dict[str, str]]:
    """A step's nodes with names of their own; weights keep theirs. `given` are the names of its inputs."""
    names = {tensor.name: tensor.name for tensor in graph.initializer} | given | {"": ""}
    nodes = []
    for node in graph.node:
        copy = NodeProto()
        copy.CopyFrom(node)
        copy.name = f"{step}/{node.name}"
        copy.input[:] = [names[name] for name in node.input]
        names.update({name: f"{step}/{name}" for name in node.output})
        copy.output[:] = [f"{step}/{name}" for name in node.output]
        nodes.append(copy)
    return nodes, {value.name: names[value.name] for value in graph.output}


def unrolled(bundle: Path, variant: str, latent_frames: int) -> bytes:
    """The step graphs of a bundle one after another, a latent frame each, as one model.

    Args:
        bundle: Its folder, relative to which the model's weights lie.
        variant: The ending of the graphs' names, as "fp32.processor".
        latent_frames: Of the clip, at least 2.

    Returns:
        A serialized ModelProto: latents (B,C,T,h,w) -> frames (B,3,F,H,W).
    """
    first, after = (
        onnx.load(str(bundle / f"vae_decoder_{step}.{variant}.onnx"), load_external_data=False)
        for step in ("first", "next")
    )
    frames = [f"latents/{index}" for index in range(latent_frames)]
    nodes = [helper.make_node("Split", ["latents"], frames, axis=2, num_outputs=latent_frames)]
    made: dict[str, str] = {}
    for index, latents in enumerate(frames):
        graph = after.graph if index else first.graph
        caches = {name.replace("cache_out", "cache_in"): value for name, value in made.items() if name != "frames"}
        step, made = _renamed(graph, index, {"latents": latents, **caches})
        nodes += step
    clip = [f"{index}/frames" for index in range(latent_frames)]
    nodes.append(helper.make_node("Concat", clip, ["frames"], axis=2))
    weights = {tensor.name: tensor for model in (first, after) for tensor in model.graph.initializer}
    inputs = [value for value in first.graph.input if value.name == "latents"]
    inputs[0].type.tensor_type.shape.dim[2].dim_value = latent_frames
    outputs = [value for value in first.graph.output if value.name == "frames"]
    outputs[0].type.tensor_type.shape.dim[2].Clear()
    outputs[0].type.tensor_type.shape.dim[2].dim_param = "F"
    graph = helper.make_graph(nodes, "unrolled", inputs, outputs, list(weights.values()))
    model = helper.make_model(graph, opset_imports=list(after.opset_import), ir_version=after.ir_version)
    return bytes(model.SerializeToString())
