// Owners for ONNX Runtime's C objects.
#pragma once

#include <onnxruntime_c_api.h>

#include <memory>

namespace vidrt {

template <typename T>
using OrtHandle = std::unique_ptr<T, void (*)(T*)>;

/// Take over an object made by the C API.
template <typename T>
OrtHandle<T> own(T* object, void(ORT_API_CALL* release)(T*)) {
  return OrtHandle<T>(object, release);
}

}  // namespace vidrt
