// One TensorRT engine as a session: tensors bound by name without copies, and runs that repeat replayed as CUDA graphs.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "runtime/gpu_device.h"
#include "runtime/session.h"
#include "tensorrt/backend/engine_context.h"

namespace vidrt::trt {

struct TrtSessionOptions {
  std::string module;       // for messages
  ModuleSizes sizes;        // that the engine was built for
  bool cuda_graphs = true;  // not where layers are profiled: what is replayed is not told layer by layer
  bool profile_layers = false;
  std::function<void(const std::string&)> warn;
};

class TrtSession : public Session {
 public:
  TrtSession(GpuDevice& device, std::unique_ptr<EngineContext> context, TrtSessionOptions options);
  /// Waits for what is queued, which may be runs of this.
  ~TrtSession() override;

  void run(const std::vector<NamedTensor>& inputs, const std::vector<NamedTensor>& outputs,
           const Workspace& workspace) override;
  bool takes(const ModuleSizes& sizes) const override;
  LayerTimes take_layer_times() override;

 private:
  // What one run is done on. Runs on the same are the same work.
  struct Binding {
    std::vector<NamedTensor> inputs;
    std::vector<NamedTensor> outputs;
    Workspace workspace;
  };
  struct Known {
    Binding binding;
    bool can_be_recorded = true;
    std::unique_ptr<RecordedWork> recorded;
  };

  void apply(const Binding& binding);
  void set_shapes(const Binding& binding);
  void set_workspace(Workspace lent);
  void check_ports(const std::vector<NamedTensor>& tensors, bool are_inputs) const;
  void enqueue(Known* known);
  void enqueue_timed();
  Known* find(const std::vector<NamedTensor>& inputs, const std::vector<NamedTensor>& outputs,
              const Workspace& workspace);

  GpuDevice& device_;
  std::unique_ptr<EngineContext> context_;
  TrtSessionOptions options_;
  LayerTimes layer_times_;
  Binding applied_;                              // what the context is set to; empty: to nothing that is known
  std::unique_ptr<DeviceBuffer> own_workspace_;  // where less was lent than the engine needs
  std::deque<Known> known_;  // newest last; all with the shapes and the workspace of applied_, where that is known
};

}  // namespace vidrt::trt
