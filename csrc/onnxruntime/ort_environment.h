// The process's ONNX Runtime environment, with the memory for activations that all sessions share.
#pragma once

#include <onnxruntime_c_api.h>

#include <memory>

#include "onnxruntime/ort_allocator.h"

namespace vidrt {

/// Lives as long as the process: sessions in other static objects may outlive any owner we could name.
class OrtEnvironment {
 public:
  explicit OrtEnvironment(const OrtApi& api);
  OrtEnv* get() const { return env_; }
  /// What sessions on the processor take their activations from.
  BlockPool& activations() const { return activations_->pool(); }

 private:
  OrtEnv* env_ = nullptr;
  std::unique_ptr<OrtPoolAllocator> activations_;
};

/// Made on first use. Throws BackendError.
const OrtEnvironment& ort_environment();

}  // namespace vidrt
