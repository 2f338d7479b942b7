"""What comes after a convolution and can be part of it: bias, activation, 1x1x1 convolution, residual.

Nothing is taken over whose value something else reads as well.
"""

from __future__ import annotations

import onnx_ir as ir

from vidrt.export.depthwise.activations import find_activation
from vidrt.export.depthwise.graph_queries import attribute, depends_on, is_operator, only_user, same_shape


def take_bias(value: ir.Value, channels: int) -> tuple[ir.Value, ir.Value] | None:
    """A constant with one number a channel that is added to a value (N,C,T,H,W), and the sum.

    The constant has the shape (C), or nothing else reads it.
    """
    user = only_user(value)
    if user is None or not is_operator(user[0], "Add"):
        return None
    node, index = user
    vector = _vector(node.inputs[1 - index], channels)
    return None if vector is None else (vector, node.outputs[0])


def take_activation(value: ir.Value) -> tuple[str, ir.Value]:
    """The activation that a value goes through, and its result; "none" and the value itself where there is none."""
    return find_activation(value) or ("none", value)


def take_pointwise(value: ir.Value) -> ir.Node | None:
    """The 1x1x1 convolution of all channels that alone reads a value, with a weight that nothing else reads."""
    user = only_user(value)
    if user is None or user[1] != 0 or not is_operator(user[0], "Conv"):
        return None
    node = user[0]
    weight = node.inputs[1]
    bias = node.inputs[2] if len(node.inputs) > 2 else None
    if weight is None or not weight.is_initializer() or weight.shape is None or only_user(weight) is None:
        return None
    plain = (
        attribute(node, "group", 1) == 1
        and tuple(weight.shape.numpy()[2:]) == (1, 1, 1)
        and not any(attribute(node, "pads", ()))
        and set(attribute(node, "strides", (1,))) == {1}
        and attribute(node, "auto_pad", "NOTSET") == "NOTSET"
        and (bias is None or bias.is_initializer())
    )
    return node if plain else None


def take_residual(value: ir.Value, own: set[ir.Node]) -> tuple[ir.Value, ir.Value] | None:
    """What of a value's own shape is added to it, and the sum.

    Args:
        value: The result so far.
        own: Nodes whose results the operator gives: a residual that depends on them would wait for itself.
    """
    user = only_user(value)
    if user is None or not is_operator(user[0], "Add"):
        return None
    node, index = user
    residual = node.inputs[1 - index]
    if residual is None or not same_shape(value, residual) or depends_on(residual, own):
        return None
    return residual, node.outputs[0]


def _vector(value: ir.Value | None, channels: int) -> ir.Value | None:
    """The initialiser behind a value of the shape (C,1,1,1) or (1,C,1,1,1)."""
    if value is None or value.shape is None or not value.shape.is_static():
        return None
    if tuple(value.shape.numpy()) not in ((channels, 1, 1, 1), (1, channels, 1, 1, 1)):
        return None
    source = value
    used_once = len(list(source.uses())) == 1
    while is_operator(source.producer(), "Unsqueeze"):
        producer = source.producer()
        assert producer is not None
        assert producer.inputs[0] is not None
        source = producer.inputs[0]
        used_once = used_once and len(list(source.uses())) == 1
    if not source.is_initializer() or source.shape is None:
        return None
    return source if used_once or tuple(source.shape.numpy()) == (channels,) else None
