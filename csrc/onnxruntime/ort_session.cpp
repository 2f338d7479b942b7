#include "onnxruntime/ort_session.h"

#include <exception>
#include <utility>

#include "onnxruntime/ort_cuda.h"
#include "onnxruntime/ort_value.h"

namespace vidrt {
OrtSession::OrtSession(const OrtApi& api, std::string module, OrtWeights weights, OrtHandle<::OrtSession> session,
                       OrtPlace place, std::unique_ptr<OrtProfile> profile)
    : api_(api),
      module_(std::move(module)),
      place_(std::move(place)),
      weights_(std::move(weights)),
      profile_(std::move(profile)),
      session_(std::move(session)),
      memory_(place_.device == nullptr ? host_memory(api) : gpu_memory(api, place_.device->index())),
      run_options_(nullptr, api.ReleaseRunOptions),
      binding_(nullptr, api.ReleaseIoBinding) {
  OrtRunOptions* run_options = nullptr;
  check_ort(api, api.CreateRunOptions(&run_options), "making run options");
  run_options_.reset(run_options);
  if (place_.device != nullptr) leave_runs_queued(api, run_options);
  OrtIoBinding* binding = nullptr;
  check_ort(api, api.CreateIoBinding(session_.get(), &binding), "making an I/O binding");
  binding_.reset(binding);
}

OrtSession::~OrtSession() {
  if (place_.device == nullptr) return;
  try {
    place_.device->synchronize();  // runs that are still queued use the session's memory
  } catch (const std::exception&) {
    // Said where a result is read, or of no interest any more.
  }
}

void OrtSession::bind(Side side, const std::vector<NamedTensor>& tensors, std::vector<NamedTensor>* bound) {
  if (same_tensors(tensors, *bound)) return;
  bound->clear();  // a failure below leaves nothing that looks bound
  side == Side::kInput ? api_.ClearBoundInputs(binding_.get()) : api_.ClearBoundOutputs(binding_.get());
  const auto attach = side == Side::kInput ? api_.BindInput : api_.BindOutput;
  for (const NamedTensor& tensor : tensors) {
    const std::string what = "binding '" + tensor.name + "' of " + module_;
    const OrtHandle<OrtValue> value = wrap_tensor(api_, memory_.get(), tensor.view, what);
    check_ort(api_, attach(binding_.get(), tensor.name.c_str(), value.get()), what);
  }
  *bound = tensors;
}

void OrtSession::run(const std::vector<NamedTensor>& inputs, const std::vector<NamedTensor>& outputs,
                     const Workspace&) {
  if (place_.is_gpu) bound_inputs_.clear();
  bind(Side::kInput, inputs, &bound_inputs_);
  bind(Side::kOutput, outputs, &bound_outputs_);
  check_ort(api_, api_.RunWithBinding(session_.get(), run_options_.get(), binding_.get()), "running " + module_);
  ++runs_;
}

LayerTimes OrtSession::take_layer_times() {
  return profile_ == nullptr ? LayerTimes() : OrtProfile::end(api_, session_.get(), runs_);
}

}  // namespace vidrt
