"""The order of a graph's nodes, by which ONNX Runtime decides what it computes first."""

from __future__ import annotations

import onnx_ir as ir


class SideOutputsFirstPass(ir.passes.InPlacePass):
    """Let outputs besides the first be computed as soon as they can be, as the caches of a decoder's step.

    ONNX Runtime walks from the nodes that nothing depends on to what they need, and begins with the one that stands
    last. So those that make outputs stand at the end: the first output's, then the others' from the last to the second.
    In the order in which layers come, ONNX Runtime computes all caches after the frames, and until then keeps what
    they are cut from, of every layer.
    """

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """As ir.passes.InPlacePass says."""
        graph = model.graph
        before = list(graph)
        for value in [*graph.outputs[:1], *reversed(graph.outputs[1:])]:
            node = value.producer()
            if node is not None and not any(output.uses() for output in node.outputs):
                graph.append(node)  # from where it was
        return ir.passes.PassResult(model, modified=before != list(graph))
