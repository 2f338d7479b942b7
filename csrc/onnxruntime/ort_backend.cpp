#include "onnxruntime/ort_backend.h"

#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "kernels/cpu_isa.h"
#include "onnxruntime/contrib_ops.h"
#include "onnxruntime/custom_ops/custom_ops.h"
#include "onnxruntime/ort_cuda.h"
#include "onnxruntime/ort_environment.h"
#include "onnxruntime/ort_session.h"
#include "onnxruntime/ort_weights.h"
#include "runtime/conv_sums.h"
#include "runtime/gpu_device.h"
#include "runtime/graph_file.h"
#include "runtime/lifted_graph.h"
#include "runtime/processor.h"
#include "runtime/streamable_weights.h"
#include "runtime/streamed_kernels.h"
#include "vidrt/errors.h"

namespace vidrt {
namespace {

class OrtBackend : public Backend {
 public:
  OrtBackend(std::string name, std::optional<int> cuda)
      : name_(std::move(name)), cuda_(cuda), library_(ort_library()), environment_(ort_environment()) {}

  std::string name() const override { return name_; }
  std::string description() const override {
    const bool copies = cuda_ && !has_cuda_library();
    return name_ + " " + library_.version + (copies ? " (tensors in host memory)" : "");
  }
  // They run on the processor: between nodes on a GPU every one would copy its tensors to the host and back.
  bool has_custom_op(const std::string& name) const override {
    return !cuda_ && (custom_ops::exists(name) || is_contrib_op(name));
  }
  std::string lacks(const Bundle&, const std::string& /*module*/, const Variant& variant) const override {
    for (const std::string& op : variant.custom_ops) {
      if (std::string reason = contrib_op_lacks(op, library_.version); !reason.empty()) return reason;
    }
    return "";
  }

  Device& device() const override {
    const std::shared_ptr<GpuDevice> device = gpu();
    return device == nullptr ? host_device() : *device;
  }

  // What ONNX Runtime packs of a large weight comes on top of what it is handed. Where memory is short, it multiplies
  // by a matrix as it lies in the file: slower where a run has few tokens, as fast where it has thousands. Our own
  // product always does. Kernels are read from the file in every run, right before they are convolved with.
  ModuleNeeds needs(const ModuleRequest& request) const override {
    ModuleNeeds needs = Backend::needs(request);
    const LargeWeights large = large_weights(request);
    for (const StreamableWeight& weight : large.as_stored) {
      needs.weight_bytes -= weight.float_bytes - weight.stored_bytes;
    }
    for (const StreamableWeight& weight : large.streamable) {
      needs.weight_bytes += weight.held_bytes + weight.packed_bytes - weight.float_bytes;
    }
    needs.streamable_bytes = saved_together(large.streamable);
    return needs;
  }

  void release_unused_memory() override { environment_.activations().trim(); }

  std::unique_ptr<Session> load(const ModuleRequest& request, const SessionOptions& options) override {
    const OrtApi& api = *library_.api;
    const auto& [bundle, module, variant, sizes] = request;
    const std::string what = "loading " + module + " (" + variant.file + ")";
    const OrtPlace place{cuda_.has_value(), gpu()};
    const OrtHandle<OrtSessionOptions> session_options = make_options(options, place, what);
    // Where the graph is read from memory, paths of what stays outside it are taken from here.
    check_ort(api,
              api.AddSessionConfigEntry(session_options.get(), "session.model_external_initializers_file_folder_path",
                                        bundle.path().c_str()),
              what);
    auto profile = options.profile_layers ? std::make_unique<OrtProfile>() : nullptr;
    if (profile != nullptr) profile->enable(api, session_options.get());
    const LargeWeights large = large_weights(request);
    StreamedNames streamed = weights_that_save(large.streamable, options.streamed_bytes);
    for (const StreamableWeight& weight : large.as_stored) {
      if (weight.use == StreamableWeight::Use::kMatrix) streamed.matrices.insert(weight.name);
    }
    const std::string file = bundle.resolve(variant.file);
    ConvSumGraph summed = convolving_graph(request);
    StreamingGraph streaming = stream_kernels(summed.model, file, streamed.kernels);
    LiftedGraph graph = lift_weights(streaming.model, file, {streamed.matrices, stored_product()});
    OrtWeights weights(api, request,
                       {std::move(graph.weights), std::move(streaming.kernels), std::move(summed.kernels),
                        std::move(streamed.kernels)},
                       threads_of(options));
    weights.give_to(session_options.get(), cuda_ ? OrtWeights::Use::kCopy : OrtWeights::Use::kShare);
    ::OrtSession* session = nullptr;
    check_ort(api,
              api.CreateSessionFromArrayWithPrepackedWeightsContainer(environment_.get(), graph.model.data(),
                                                                      graph.model.size(), session_options.get(),
                                                                      weights.packed(), &session),
              what);
    return std::make_unique<OrtSession>(api, module, std::move(weights), own(session, api.ReleaseSession), place,
                                        std::move(profile));
  }

 private:
  struct LargeWeights {
    std::vector<StreamableWeight> as_stored;   // always read where they are stored, and there they stay
    std::vector<StreamableWeight> streamable;  // where memory is short
  };

  static int threads_of(const SessionOptions& options) {
    return options.threads > 0 ? options.threads : physical_cores();
  }

  static StoredProduct stored_product() {
    return kernels::cpu_isa() == kernels::Isa::kAmx ? StoredProduct::kOwnMatMul : StoredProduct::kFusedMatMul;
  }

  // Vectors of the processor make our own convolution the faster one; without any, ONNX Runtime's is.
  ConvSumGraph convolving_graph(const ModuleRequest& request) const {
    std::string model = read_graph_file(request.bundle, request.variant);
    if (cuda_ || kernels::cpu_isa() == kernels::Isa::kGeneric) return {std::move(model), {}, {}};
    return sum_convolutions(model, request.bundle.resolve(request.variant.file));
  }

  // Plans ask often: a graph is read once.
  LargeWeights large_weights(const ModuleRequest& request) const {
    if (cuda_) return {};
    const std::string path = request.bundle.resolve(request.variant.file);
    const std::lock_guard<std::mutex> lock(large_mutex_);
    const std::string key = path + '\n' + request.variant.sha256;
    const auto known = large_.find(key);
    if (known != large_.end()) return known->second;
    LargeWeights large;
    const ConvSumGraph summed = convolving_graph(request);
    for (StreamableWeight& weight : summed.weights()) {  // first: to let them go costs least
      (weight.stored_bytes < kLargeWeight ? large.as_stored : large.streamable).push_back(std::move(weight));
    }
    for (StreamableWeight& weight : streamable_weights(summed.model, path)) {
      const bool is_matrix = weight.use == StreamableWeight::Use::kMatrix;
      const bool as_stored = is_matrix && stored_product() != StoredProduct::kFusedMatMul;
      (as_stored ? large.as_stored : large.streamable).push_back(std::move(weight));
    }
    return large_[key] = std::move(large);
  }

  OrtHandle<OrtSessionOptions> make_options(const SessionOptions& options, const OrtPlace& place,
                                            const std::string& what) const {
    const OrtApi& api = *library_.api;
    OrtSessionOptions* raw = nullptr;
    check_ort(api, api.CreateSessionOptions(&raw), what);
    OrtHandle<OrtSessionOptions> owned = own(raw, api.ReleaseSessionOptions);
    const int threads = threads_of(options);
    check_ort(api, api.SetIntraOpNumThreads(raw, threads), what);
    check_ort(api, api.SetSessionExecutionMode(raw, ORT_SEQUENTIAL), what);
    check_ort(api, api.SetSessionGraphOptimizationLevel(raw, ORT_ENABLE_ALL), what);
    check_ort(api, api.DisableMemPattern(raw), what);
    const std::pair<const char*, const char*> entries[] = {
        // All sessions of the process take their activations from one arena: what one stage used, the next reuses.
        {"session.use_env_allocators", "1"},
        // Threads may spin within a run, but an idle pipeline must leave the processor alone.
        {"session.force_spinning_stop", "1"},
    };
    for (const auto& [key, value] : entries) check_ort(api, api.AddSessionConfigEntry(raw, key, value), what);
    if (cuda_) {
      append_cuda(api, raw, *cuda_, place.device.get());
    } else {
      check_ort(api, custom_ops::add_to(raw, api, library_.version.c_str(), threads), what);
    }
    return owned;
  }

  // Null: tensors lie in the host's memory. Opened when first needed: variants are chosen on machines without a GPU
  // too.
  std::shared_ptr<GpuDevice> gpu() const {
    if (!cuda_ || !has_cuda_library()) return nullptr;
    const std::lock_guard<std::mutex> lock(gpu_mutex_);
    if (gpu_ == nullptr) gpu_ = open_gpu_device(*cuda_);
    return gpu_;
  }

  std::string name_;
  std::optional<int> cuda_;
  mutable std::mutex large_mutex_;
  mutable std::map<std::string, LargeWeights> large_;  // by the graph's path and hash
  mutable std::mutex gpu_mutex_;
  mutable std::shared_ptr<GpuDevice> gpu_;
  const OrtLibrary& library_;
  const OrtEnvironment& environment_;
};

}  // namespace

std::shared_ptr<Backend> make_ort_backend(const std::string& name, std::optional<int> cuda_device) {
  return std::make_shared<OrtBackend>(name, cuda_device);
}

}  // namespace vidrt
