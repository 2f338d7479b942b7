// A plan as TensorRT runs it.
#pragma once

#include <NvInferRuntime.h>

#include <cstdint>
#include <memory>
#include <string>

#include "runtime/engine_sidecar.h"
#include "runtime/gpu_device.h"
#include "tensorrt/backend/engine_context.h"

namespace vidrt::trt {

/// Load a checked plan and make its context, with `streamed_bytes` of its weights left on the host, to be streamed to
/// the device in every run. Throws BackendError with what TensorRT said, and OutOfMemory where the device has not
/// enough.
std::unique_ptr<EngineContext> load_engine(nvinfer1::IRuntime& runtime, const EngineSidecar& sidecar,
                                           std::uint64_t streamed_bytes, GpuDevice& device);

}  // namespace vidrt::trt
