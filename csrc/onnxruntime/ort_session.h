// One graph in ONNX Runtime, run on memory that the caller owns.
#pragma once

#include <string>
#include <vector>

#include "onnxruntime/ort_handle.h"
#include "onnxruntime/ort_library.h"
#include "onnxruntime/ort_weights.h"
#include "runtime/session.h"

namespace vidrt {

class OrtSession : public Session {
 public:
  /// Takes over the loaded graph and the weights it refers to. `module` is for messages.
  OrtSession(const OrtApi& api, std::string module, OrtWeights weights, OrtHandle<::OrtSession> session);

  void run(const std::vector<NamedTensor>& inputs, const std::vector<NamedTensor>& outputs,
           const Workspace& workspace) override;

 private:
  enum class Side { kInput, kOutput };
  void bind(Side side, const std::vector<NamedTensor>& tensors, std::vector<NamedTensor>* bound);

  const OrtApi& api_;
  std::string module_;
  // Destroyed from the last to the first: a binding refers to its session, and that to its weights.
  OrtWeights weights_;
  OrtHandle<::OrtSession> session_;
  OrtHandle<OrtMemoryInfo> memory_;
  OrtHandle<OrtRunOptions> run_options_;
  OrtHandle<OrtIoBinding> binding_;
  // What is bound now; the sampling loop binds the same memory in every step.
  std::vector<NamedTensor> bound_inputs_;
  std::vector<NamedTensor> bound_outputs_;
};

}  // namespace vidrt
