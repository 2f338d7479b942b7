// What is thrown where TensorRT refuses. Nothing here knows TensorRT, so that it can be tested without.
#pragma once

#include <cstdint>
#include <string>

#include "runtime/device.h"

namespace vidrt::trt {

/// Throws OutOfMemory where `said`, what TensorRT logged (TrtLog::take_errors()), is of memory, and BackendError where
/// it is not. `what` was asked of it, and takes `bytes` or more of the device's memory; 0: nobody knows.
[[noreturn]] void fail_in_tensorrt(const std::string& what, const std::string& said, const Device& device,
                                   std::uint64_t bytes = 0);

}  // namespace vidrt::trt
