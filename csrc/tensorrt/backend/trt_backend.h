// TensorRT as a backend: engines from the cache, on one device.
#pragma once

#include <memory>

#include "runtime/tensorrt_library.h"

namespace vidrt::trt {

/// Throws BackendError where TensorRT does not start on the device.
std::unique_ptr<Backend> make_trt_backend(const TrtBackendRequest& request);

}  // namespace vidrt::trt
