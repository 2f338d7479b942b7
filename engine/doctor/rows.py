"""All rows of `vidrt doctor`, in the order in which they are shown. A new one is a function and a line here."""

from __future__ import annotations

from vidrt.engine.doctor import cuda, installation, machine, onnxruntime, own_libraries, tensorrt
from vidrt.engine.doctor.report import Row

_ON_GPU = ("tensorrt", "tensorrt-rtx")

ROWS = (
    Row("instruction_set", "vidrt's convolutions on the CPU", machine.instruction_set, required=True),
    Row("memory", "what a plan compares itself with", machine.memory),
    Row("jetson", "nothing", machine.jetson),
    Row("onnxruntime", "backends onnxruntime and onnxruntime-cuda", onnxruntime.library, backends=("onnxruntime",)),
    Row("onnxruntime_cuda", "backend onnxruntime-cuda", onnxruntime.cuda_provider),
    Row("cuda_driver", "everything on a GPU", cuda.driver, backends=_ON_GPU),
    Row("cuda_devices", "everything on a GPU", cuda.devices, backends=_ON_GPU),
    Row("cuda_runtime", "ONNX Runtime and TensorRT on the GPU", cuda.runtime),
    Row("nvcc", "compiling vidrt's CUDA kernels (`make cuda`)", cuda.nvcc),
    Row("tensorrt_python", "`vidrt build --backend tensorrt`", tensorrt.python),
    Row("tensorrt_libraries", "backend tensorrt, building for it too", tensorrt.libraries, backends=("tensorrt",)),
    Row("tensorrt_onnx_parser", "`vidrt build --backend tensorrt`", tensorrt.parser),
    Row("tensorrt_rtx_python", "`vidrt build --backend tensorrt-rtx`", tensorrt.rtx_python),
    Row(
        "tensorrt_rtx_libraries",
        "backend tensorrt-rtx, building for it too",
        tensorrt.rtx_libraries,
        backends=("tensorrt-rtx",),
    ),
    Row("tensorrt_rtx_onnx_parser", "`vidrt build --backend tensorrt-rtx`", tensorrt.rtx_parser),
    Row("tensorrt_rtx_cuda_runtime", "`vidrt build --backend tensorrt-rtx`", tensorrt.rtx_cuda_runtime),
    Row(
        "cuda_library",
        "tensors on the GPU from step to step; backends tensorrt and tensorrt-rtx",
        own_libraries.cuda,
        backends=_ON_GPU,
    ),
    Row("tensorrt_library", "backend tensorrt", own_libraries.tensorrt, backends=("tensorrt",)),
    Row(
        "tensorrt_rtx_library",
        "running engines of tensorrt-rtx; they are built without",
        own_libraries.tensorrt_rtx,
        backends=("tensorrt-rtx",),
    ),
    Row("tensorrt_plugins", "vidrt's operators in TensorRT engines; stock graphs serve without", own_libraries.plugins),
    Row("custom_ops_library", "vidrt's operators in other ONNX Runtime sessions", installation.custom_ops),
    Row("video_formats", "saving as .mp4 and .webm", installation.video_formats),
    Row("export", "`vidrt export`, `vidrt eval`", installation.export),
    Row("bundle", "commands that are given no bundle", installation.bundle),
    Row("cache", "keeping engines, and what is known of checked weights", installation.cache),
    Row("engine_cache", "engines of `vidrt build`", installation.engines),
)
