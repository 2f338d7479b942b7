// Our memory as ONNX Runtime sees it.
#pragma once

#include <string>

#include "onnxruntime/ort_handle.h"
#include "vidrt/tensor.h"

namespace vidrt {

/// Describes memory of the host that belongs to nobody's allocator. Throws BackendError.
OrtHandle<OrtMemoryInfo> host_memory(const OrtApi& api);

/// The same for memory of the GPU `index`.
OrtHandle<OrtMemoryInfo> gpu_memory(const OrtApi& api, int index);

/// A tensor over `view`, which lies in `memory` and must stay; nothing is copied. `what` begins the message of the
/// BackendError.
OrtHandle<OrtValue> wrap_tensor(const OrtApi& api, const OrtMemoryInfo* memory, const TensorView& view,
                                const std::string& what);

}  // namespace vidrt
