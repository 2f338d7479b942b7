"""Who takes part in benchmarks/gpu_depthwise.py: the same convolution by vidrt's kernels, PyTorch, cuDNN, TensorRT."""

from __future__ import annotations

import ctypes
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional as F

Contender = Callable[[], torch.Tensor]
"""Queues the convolution on the current stream and gives Y."""
FORMATS = {"NCTHW": torch.contiguous_format, "NTHWC": torch.channels_last_3d}
TYPES = {"float16": torch.float16, "float32": torch.float32}


class UnavailableError(Exception):
    """A contender cannot take part; the message says why."""


@dataclasses.dataclass(frozen=True)
class Case:
    """A convolution over (1,C,T,H,W) to the same size. Causal: frames of zeros in front, bias, SiLU behind."""

    form: str
    kernel: tuple[int, int, int]
    shape: tuple[int, int, int, int]
    type: str

    @property
    def is_causal(self) -> bool:
        """Else it is padded on all sides, and nothing follows."""
        return self.form == "causal"

    @property
    def padding(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Before and after each axis."""
        half = tuple(size // 2 for size in self.kernel)
        if not self.is_causal:
            return half, half
        return (self.kernel[0] - 1, *half[1:]), (0, *half[1:])


@dataclasses.dataclass(frozen=True)
class Tensors:
    """Of one layout, on the device; every contender of the layout has the same X and a Y of its own."""

    x: torch.Tensor
    weight: torch.Tensor
    bias: torch.Tensor | None

    @staticmethod
    def random(case: Case, layout: str) -> Tensors:
        """The same values in every layout."""
        generator = torch.Generator().manual_seed(0)
        channels = case.shape[0]

        def normal(*shape: int) -> torch.Tensor:
            return torch.randn(shape, generator=generator).to("cuda", TYPES[case.type])

        x = normal(1, *case.shape).contiguous(memory_format=FORMATS[layout])
        weight = normal(channels, 1, *case.kernel)
        return Tensors(x, weight, normal(channels) if case.is_causal else None)


def convolve(case: Case, tensors: Tensors) -> torch.Tensor:
    """As a model in PyTorch writes it."""
    (frames, *before), _ = case.padding
    x = tensors.x
    if case.is_causal and frames > 0:
        x = F.pad(x, (0, 0, 0, 0, frames, 0))
        frames = 0
    y = F.conv3d(x, tensors.weight, tensors.bias, padding=[frames, *before], groups=case.shape[0])
    return F.silu(y) if case.is_causal else y


def vidrt(library: Path, case: Case, layout: str, tensors: Tensors) -> Contender:
    """The kernels that this benchmark is about."""
    launch = ctypes.CDLL(str(library)).vidrt_bench_depthwise
    y = torch.empty_like(tensors.x)
    sizes = (ctypes.c_int64 * 7)(*case.shape, *case.kernel)
    pointers = [ctypes.c_void_p(None if one is None else one.data_ptr())
                for one in (tensors.x, tensors.weight, tensors.bias, y)]  # fmt: skip

    def run() -> torch.Tensor:
        stream = ctypes.c_void_p(torch.cuda.current_stream().cuda_stream)
        error = launch(case.type.encode(), layout.encode(), sizes, int(case.is_causal), *pointers, stream)
        if error != 0:
            raise RuntimeError(f"vidrt's launch of {case} in {layout} failed with CUDA error {error}")
        return y

    return run


def pytorch(case: Case, tensors: Tensors, *, cudnn: bool) -> Contender:
    """PyTorch's own kernel, or cuDNN's by PyTorch's search among its algorithms."""
    if cudnn and not torch.backends.cudnn.is_available():
        raise UnavailableError("this PyTorch has no cuDNN")

    def run() -> torch.Tensor:
        with torch.inference_mode(), torch.backends.cudnn.flags(enabled=cudnn, benchmark=True, allow_tf32=False):
            return convolve(case, tensors)

    return run


def tensorrt(case: Case, layout: str, tensors: Tensors) -> Contender:
    """An engine of TensorRT's own convolution, with vectors of channels where the layout is NTHWC."""
    try:
        import tensorrt as trt
    except ImportError as error:
        raise UnavailableError(f"{error} (pip install tensorrt-cu13)") from error
    if layout == "NTHWC" and case.type != "float16":
        raise UnavailableError("TensorRT has channels last in 16 bits only")
    logger = trt.Logger(trt.Logger.ERROR)
    builder = trt.Builder(logger)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    weights = {name: value.cpu().numpy() for name, value in dataclasses.asdict(tensors).items() if value is not None}
    define_network(trt, network, case, layout, weights)
    config = builder.create_builder_config()
    config.clear_flag(trt.BuilderFlag.TF32)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise UnavailableError("TensorRT could not build the engine; its message stands above")
    context = trt.Runtime(logger).deserialize_cuda_engine(plan).create_execution_context()
    y = torch.empty_like(tensors.x)
    context.set_tensor_address("x", tensors.x.data_ptr())
    context.set_tensor_address("y", y.data_ptr())

    def run() -> torch.Tensor:
        if not context.execute_async_v3(torch.cuda.current_stream().cuda_stream):
            raise RuntimeError(f"TensorRT did not run {case}")
        return y

    return run


def define_network(trt: Any, network: Any, case: Case, layout: str, weights: dict[str, Any]) -> None:
    """X to Y; `weights` must live until the engine is built."""
    x = network.add_input("x", {"float16": trt.float16, "float32": trt.float32}[case.type], (1, *case.shape))
    bias = trt.Weights(weights["bias"]) if case.is_causal else trt.Weights()
    convolution = network.add_convolution_nd(x, case.shape[0], case.kernel, trt.Weights(weights["weight"]), bias)
    convolution.num_groups = case.shape[0]
    convolution.pre_padding, convolution.post_padding = case.padding
    y = convolution.get_output(0)
    if case.is_causal:
        sigmoid = network.add_activation(y, trt.ActivationType.SIGMOID).get_output(0)
        y = network.add_elementwise(y, sigmoid, trt.ElementWiseOperation.PROD).get_output(0)
    y.name = "y"
    network.mark_output(y)
    for tensor in (x, y):
        wanted = trt.TensorFormat.DHWC8 if layout == "NTHWC" else trt.TensorFormat.LINEAR
        tensor.allowed_formats = 1 << int(wanted)
