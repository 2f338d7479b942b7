"""The decoder of form *causal* as one graph for a whole clip: what the step graphs are in place of."""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import GraphProto, NodeProto, TensorProto, helper


def _initializers(graph: GraphProto, kind: str) -> dict[str, TensorProto]:
    """Initializers by their names in the graph. Weights keep these, constants, which lie in the graph, get another."""
    named = {}
    for tensor in graph.initializer:
        named[tensor.name] = copy = TensorProto()
        copy.CopyFrom(tensor)
        if tensor.data_location != TensorProto.EXTERNAL:
            copy.name = f"{kind}/{tensor.name}"
    return named


def _renamed(
    graph: GraphProto, step: int, initializers: dict[str, TensorProto], given: dict[str, str]
) -> tuple[list[NodeProto], dict[str, str]]:
    """A step's nodes with names of their own. `given` are the names of its inputs."""
    names = {name: tensor.name for name, tensor in initializers.items()} | given | {"": ""}
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
    of_first, of_after = _initializers(first.graph, "first"), _initializers(after.graph, "next")
    for index, latents in enumerate(frames):
        graph, initializers = (after.graph, of_after) if index else (first.graph, of_first)
        caches = {name.replace("cache_out", "cache_in"): value for name, value in made.items() if name != "frames"}
        step, made = _renamed(graph, index, initializers, {"latents": latents, **caches})
        nodes += step
    clip = [f"{index}/frames" for index in range(latent_frames)]
    nodes.append(helper.make_node("Concat", clip, ["frames"], axis=2))
    weights = {tensor.name: tensor for of_step in (of_first, of_after) for tensor in of_step.values()}
    inputs = [value for value in first.graph.input if value.name == "latents"]
    inputs[0].type.tensor_type.shape.dim[2].dim_value = latent_frames
    outputs = [value for value in first.graph.output if value.name == "frames"]
    outputs[0].type.tensor_type.shape.dim[2].Clear()
    outputs[0].type.tensor_type.shape.dim[2].dim_param = "F"
    graph = helper.make_graph(nodes, "unrolled", inputs, outputs, list(weights.values()))
    model = helper.make_model(graph, opset_imports=list(after.opset_import), ir_version=after.ir_version)
    return bytes(model.SerializeToString())
