// The process's ONNX Runtime environment, with the arena that all sessions share.
#pragma once

#include <onnxruntime_c_api.h>

namespace vidrt {

/// Lives as long as the process: sessions in other static objects may outlive any owner we could name.
class OrtEnvironment {
 public:
  explicit OrtEnvironment(const OrtApi& api);
  OrtEnv* get() const { return env_; }

 private:
  OrtEnv* env_ = nullptr;
};

/// Made on first use. Throws BackendError.
const OrtEnvironment& ort_environment();

}  // namespace vidrt
