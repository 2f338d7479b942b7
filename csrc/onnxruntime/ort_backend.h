// ONNX Runtime as a backend. No ONNX Runtime header is needed to use this one.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "runtime/session.h"

namespace vidrt {

/// Make the backend `onnxruntime`, or `onnxruntime-cuda` on a CUDA device. Opens the library. Throws BackendError when
/// it is missing.
std::shared_ptr<Backend> make_ort_backend(const std::string& name, std::optional<int> cuda_device);

}  // namespace vidrt
