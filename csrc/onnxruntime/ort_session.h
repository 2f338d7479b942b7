// One graph in ONNX Runtime, run on memory that the caller owns.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "onnxruntime/ort_handle.h"
#include "onnxruntime/ort_library.h"
#include "onnxruntime/ort_profile.h"
#include "onnxruntime/ort_weights.h"
#include "runtime/gpu_device.h"
#include "runtime/session.h"

namespace vidrt {

/// Where a session's nodes run and its tensors lie.
struct OrtPlace {
  bool is_gpu = false;                // of the nodes
  std::shared_ptr<GpuDevice> device;  // whose memory and stream are used; null: memory of the host
};

class OrtSession : public Session {
 public:
  /// Takes over the loaded graph and the weights it refers to. `module` is for messages; `profile`: the one that the
  /// session was made with, or null.
  OrtSession(const OrtApi& api, std::string module, OrtWeights weights, OrtHandle<::OrtSession> session, OrtPlace place,
             std::unique_ptr<OrtProfile> profile = nullptr);
  ~OrtSession() override;

  void run(const std::vector<NamedTensor>& inputs, const std::vector<NamedTensor>& outputs,
           const Workspace& workspace) override;
  LayerTimes take_layer_times() override;

 private:
  enum class Side { kInput, kOutput };
  void bind(Side side, const std::vector<NamedTensor>& tensors, std::vector<NamedTensor>* bound);

  const OrtApi& api_;
  std::string module_;
  OrtPlace place_;  // its stream is used until the session has ended
  // Destroyed from the last to the first: a binding refers to its session, and that to its weights.
  OrtWeights weights_;
  std::unique_ptr<OrtProfile> profile_;  // its folder is written to until the session has ended
  int runs_ = 0;
  OrtHandle<::OrtSession> session_;
  OrtHandle<OrtMemoryInfo> memory_;
  OrtHandle<OrtRunOptions> run_options_;
  OrtHandle<OrtIoBinding> binding_;
  // What is bound now; the sampling loop binds the same memory in every step. Inputs on a GPU are bound anew: one that
  // the graph wants elsewhere, as shapes on the host, is copied while it is bound.
  std::vector<NamedTensor> bound_inputs_;
  std::vector<NamedTensor> bound_outputs_;
};

}  // namespace vidrt
