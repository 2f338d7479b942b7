// Our memory as ONNX Runtime sees it.
#pragma once

#include <string>

#include "onnxruntime/ort_handle.h"
#include "vidrt/tensor.h"

namespace vidrt {

/// Describes memory of the host that belongs to nobody's allocator. Throws BackendError.
OrtHandle<OrtMemoryInfo> host_memory(const OrtApi& api);

/// A tensor over `view`'s memory in the host, which must stay; nothing is copied. `what` begins the message of the
/// BackendError.
OrtHandle<OrtValue> wrap_tensor(const OrtApi& api, const OrtMemoryInfo* host, const TensorView& view,
                                const std::string& what);

}  // namespace vidrt
