"""An engine of TensorRT's own convolutions, for benchmarks/gpu_depthwise.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from gpu_case import Case, Tensors, UnavailableError


def tensorrt(case: Case, layout: str, tensors: Tensors) -> Callable[[], torch.Tensor]:
    """With vectors of channels where the layout is NTHWC."""
    try:
        import tensorrt as trt
    except ImportError as error:
        raise UnavailableError(f"{error} (pip install tensorrt-cu13)") from error
    if layout == "NTHWC" and case.type == "float32":
        raise UnavailableError("TensorRT has channels last in 16 bits only")
    logger = trt.Logger(trt.Logger.ERROR)
    plan = build(trt, trt.Builder(logger), case, layout, tensors)
    if plan is None:
        raise UnavailableError("TensorRT could not build the engine; its message stands above")
    engine = trt.Runtime(logger).deserialize_cuda_engine(plan)
    if engine is None:
        raise UnavailableError("TensorRT could not load the engine that it built; its message stands above")
    context = engine.create_execution_context()
    y = torch.empty_like(tensors.x)
    context.set_tensor_address("x", tensors.x.data_ptr())
    context.set_tensor_address("y", y.data_ptr())

    # The context has addresses alone: what lies there lives as long as the contender.
    def run(_kept: object = tensors) -> torch.Tensor:
        if not context.execute_async_v3(torch.cuda.current_stream().cuda_stream):
            raise RuntimeError(f"TensorRT did not run {case}")
        return y

    return run


def build(trt: Any, builder: Any, case: Case, layout: str, tensors: Tensors) -> Any:
    """The serialised engine; None where TensorRT cannot build it. `trt` is the module of either flavour."""
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    weights = tensors.cpu()  # TensorRT refers to it until the engine is built
    define_network(trt, network, case, layout, weights)
    config = builder.create_builder_config()
    config.clear_flag(trt.BuilderFlag.TF32)
    return builder.build_serialized_network(network, config)


def define_network(trt: Any, network: Any, case: Case, layout: str, weights: Tensors) -> None:
    """X to Y; `weights` lie in the host's memory and must live until the engine is built."""
    types = {"float16": trt.float16, "bfloat16": trt.bfloat16, "float32": trt.float32}

    def of(tensor: torch.Tensor | None) -> Any:
        # By address: NumPy, which the bindings else take, has no bfloat16.
        return trt.Weights() if tensor is None else trt.Weights(types[case.type], tensor.data_ptr(), tensor.numel())

    channels = case.shape[0]
    x = network.add_input("x", types[case.type], (1, *case.shape))
    depthwise = network.add_convolution_nd(x, channels, case.kernel, of(weights.weight), of(weights.bias))
    depthwise.num_groups = channels
    depthwise.pre_padding, depthwise.post_padding = case.padding
    y = depthwise.get_output(0)
    if case.has_silu:
        sigmoid = network.add_activation(y, trt.ActivationType.SIGMOID).get_output(0)
        y = network.add_elementwise(y, sigmoid, trt.ElementWiseOperation.PROD).get_output(0)
    if case.is_separable:
        pointwise, bias = of(weights.pointwise), of(weights.pointwise_bias)
        y = network.add_convolution_nd(y, channels, (1, 1, 1), pointwise, bias).get_output(0)
    y.name = "y"
    network.mark_output(y)
    for tensor in (x, y):
        wanted = trt.TensorFormat.DHWC8 if layout == "NTHWC" else trt.TensorFormat.LINEAR
        tensor.allowed_formats = 1 << int(wanted)
