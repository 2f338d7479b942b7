// ONNX Runtime as a backend. No ONNX Runtime header is needed to use this one.
#pragma once

#include <memory>
#include <string>

#include "runtime/session.h"

namespace vidrt {

/// Make the backend `onnxruntime` (device "cpu") or `onnxruntime-cuda` (device "cuda:N"). Opens the library.
/// Throws InvalidArgument for a device that the backend does not have, BackendError when the library is missing.
std::shared_ptr<Backend> make_ort_backend(const std::string& name, const std::string& device);

}  // namespace vidrt
