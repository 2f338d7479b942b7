// A plan as TensorRT runs it.
#pragma once

#include <NvInferRuntime.h>

#include <memory>
#include <string>

#include "runtime/engine_sidecar.h"
#include "runtime/gpu_device.h"
#include "tensorrt/backend/engine_context.h"

namespace vidrt::trt {

/// Load a checked plan and make its context. Throws BackendError with what TensorRT said, and OutOfMemory where the
/// device has not enough.
std::unique_ptr<EngineContext> load_engine(nvinfer1::IRuntime& runtime, const EngineSidecar& sidecar,
                                           GpuDevice& device);

}  // namespace vidrt::trt
