#include "onnxruntime/ort_backend.h"

#include <utility>
#include <vector>

#include "onnxruntime/custom_ops/custom_ops.h"
#include "onnxruntime/ort_environment.h"
#include "onnxruntime/ort_session.h"
#include "onnxruntime/ort_weights.h"
#include "runtime/graph_file.h"
#include "runtime/lifted_graph.h"
#include "runtime/processor.h"
#include "vidrt/errors.h"

namespace vidrt {
namespace {

class OrtBackend : public Backend {
 public:
  OrtBackend(std::string name, std::optional<int> cuda)
      : name_(std::move(name)), cuda_(cuda), library_(ort_library()), environment_(ort_environment()) {}

  std::string name() const override { return name_; }
  std::string description() const override { return name_ + " " + library_.version; }
  // They run on the processor: between nodes on a GPU every one would copy its tensors to the host and back.
  bool has_custom_op(const std::string& name) const override { return !cuda_ && custom_ops::exists(name); }

  std::unique_ptr<Session> load(const ModuleRequest& request, const SessionOptions& options) override {
    const OrtApi& api = *library_.api;
    const auto& [bundle, module, variant, sizes] = request;
    const std::string what = "loading " + module + " (" + variant.file + ")";
    const OrtHandle<OrtSessionOptions> session_options = make_options(options, what);
    // Where the graph is read from memory, paths of what stays outside it are taken from here.
    check_ort(api,
              api.AddSessionConfigEntry(session_options.get(), "session.model_external_initializers_file_folder_path",
                                        bundle.path().c_str()),
              what);
    const LiftedGraph graph = lift_weights(read_graph_file(bundle, variant), bundle.resolve(variant.file));
    OrtWeights weights(api, bundle, module, graph.weights);
    weights.give_to(session_options.get(), cuda_ ? OrtWeights::Use::kCopy : OrtWeights::Use::kShare);
    ::OrtSession* session = nullptr;
    check_ort(api,
              api.CreateSessionFromArrayWithPrepackedWeightsContainer(environment_.get(), graph.model.data(),
                                                                      graph.model.size(), session_options.get(),
                                                                      weights.packed(), &session),
              what);
    return std::make_unique<OrtSession>(api, module, std::move(weights), own(session, api.ReleaseSession));
  }

 private:
  OrtHandle<OrtSessionOptions> make_options(const SessionOptions& options, const std::string& what) const {
    const OrtApi& api = *library_.api;
    OrtSessionOptions* raw = nullptr;
    check_ort(api, api.CreateSessionOptions(&raw), what);
    OrtHandle<OrtSessionOptions> owned = own(raw, api.ReleaseSessionOptions);
    const int threads = options.threads > 0 ? options.threads : physical_cores();
    check_ort(api, api.SetIntraOpNumThreads(raw, threads), what);
    check_ort(api, api.SetSessionExecutionMode(raw, ORT_SEQUENTIAL), what);
    check_ort(api, api.SetSessionGraphOptimizationLevel(raw, ORT_ENABLE_ALL), what);
    const std::pair<const char*, const char*> entries[] = {
        // All sessions of the process take their activations from one arena: what one stage used, the next reuses.
        {"session.use_env_allocators", "1"},
        // Threads may spin within a run, but an idle pipeline must leave the processor alone.
        {"session.force_spinning_stop", "1"},
    };
    for (const auto& [key, value] : entries) check_ort(api, api.AddSessionConfigEntry(raw, key, value), what);
    if (cuda_) {
      append_cuda(raw);
    } else {
      check_ort(api, custom_ops::add_to(raw, api, library_.version.c_str(), threads), what);
    }
    return owned;
  }

  void append_cuda(OrtSessionOptions* options) const {
    const OrtApi& api = *library_.api;
    const std::string what = "taking the CUDA provider (pip install \"vidrt[cuda]\" has it)";
    OrtCUDAProviderOptionsV2* raw = nullptr;
    check_ort(api, api.CreateCUDAProviderOptions(&raw), what);
    const OrtHandle<OrtCUDAProviderOptionsV2> cuda = own(raw, api.ReleaseCUDAProviderOptions);
    const char* keys[] = {"device_id"};
    const std::string index = std::to_string(*cuda_);
    const char* values[] = {index.c_str()};
    check_ort(api, api.UpdateCUDAProviderOptions(raw, keys, values, 1), what);
    check_ort(api, api.SessionOptionsAppendExecutionProvider_CUDA_V2(options, raw), what);
  }

  std::string name_;
  std::optional<int> cuda_;
  const OrtLibrary& library_;
  const OrtEnvironment& environment_;
};

}  // namespace

std::shared_ptr<Backend> make_ort_backend(const std::string& name, std::optional<int> cuda_device) {
  return std::make_shared<OrtBackend>(name, cuda_device);
}

}  // namespace vidrt
