// Work on a stream recorded as a CUDA graph.
#pragma once

#include <functional>
#include <memory>

#include "cuda/cuda_device.h"

namespace vidrt {

/// See GpuDevice::record().
std::unique_ptr<RecordedWork> record_cuda_graph(const CudaDevice& device, const std::function<void()>& work);

}  // namespace vidrt
