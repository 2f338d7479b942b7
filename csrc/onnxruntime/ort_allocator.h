// Where ONNX Runtime's sessions on the processor take their activations from.
#pragma once

#include <onnxruntime_c_api.h>

#include "onnxruntime/ort_handle.h"
#include "runtime/block_pool.h"

namespace vidrt {

/// A BlockPool as ONNX Runtime's allocator. It has to outlive the environment that it is registered with.
class OrtPoolAllocator {
 public:
  explicit OrtPoolAllocator(const OrtApi& api);
  OrtPoolAllocator(const OrtPoolAllocator&) = delete;
  OrtPoolAllocator& operator=(const OrtPoolAllocator&) = delete;

  OrtAllocator* get() { return &callbacks_; }
  BlockPool& pool() { return pool_; }

 private:
  struct Callbacks : OrtAllocator {
    OrtPoolAllocator* self = nullptr;
  };

  static OrtPoolAllocator& owner(const OrtAllocator* allocator) {
    return *static_cast<const Callbacks*>(allocator)->self;
  }

  BlockPool pool_;
  OrtHandle<OrtMemoryInfo> info_;
  Callbacks callbacks_{};
};

}  // namespace vidrt
