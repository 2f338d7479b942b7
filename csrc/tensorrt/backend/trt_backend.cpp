#include "tensorrt/backend/trt_backend.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <utility>

#include "runtime/engine_store.h"
#include "tensorrt/backend/flavour.h"
#include "tensorrt/backend/nvinfer_library.h"
#include "tensorrt/backend/trt_engine.h"
#include "tensorrt/backend/trt_log.h"
#include "tensorrt/backend/trt_plugins.h"
#include "tensorrt/backend/trt_session.h"
#include "vidrt/errors.h"

namespace vidrt::trt {
namespace {

class TrtBackend : public Backend {
 public:
  TrtBackend(const TrtBackendRequest& request, const NvInferLibrary& library,
             std::unique_ptr<nvinfer1::IRuntime> runtime)
      : request_(request), library_(library), runtime_(std::move(runtime)) {}

  std::string name() const override { return request_.name; }
  std::string description() const override {
    return name() + " " + library_.version + " on " + request_.device->name();
  }
  bool has_custom_op(const std::string& op) const override { return kFlavour.takes_plugins && has_plugin(op); }
  bool takes_any_length() const override { return false; }  // engines are built for the manifest's
  Device& device() const override { return *request_.device; }
  bool shares_weights() const override { return false; }

  std::string lacks(const Bundle& bundle, const std::string& module, const Variant& variant) const override {
    const std::string fault =
        engine_fault(request_.engine_folder,
                     {bundle, module, variant.id, name(), library_.version, request_.device->compute_capability(), {}});
    if (fault.empty()) return "";
    return "has no engine in " + request_.engine_folder + " (" + fault + "). " + how_to_build(bundle, name());
  }

  ModuleNeeds needs(const ModuleRequest& request) const override {
    const EngineSidecar engine = find(request);
    ModuleNeeds needs{engine.weight_bytes != 0 ? engine.weight_bytes : engine.plan_bytes, engine.activation_bytes};
    if (engine.weight_streaming) {
      needs.streamable_bytes = std::min(engine.streamable_weight_bytes, needs.weight_bytes);
      needs.staging_bytes = engine.weight_staging_bytes;
    }
    return needs;
  }

  std::unique_ptr<Session> load(const ModuleRequest& request, const SessionOptions& options) override {
    const EngineSidecar engine = find(request);
    // TensorRT loads to the thread's current device, which this makes it; a pipeline may be called from any thread.
    request_.device->synchronize();
    load_plugins(library_, engine.plugins);
    const auto warn = [this](const std::string& warning) {
      const std::lock_guard<std::mutex> lock(mutex_);
      warnings_.push_back(warning);
    };
    auto context = load_engine(*runtime_, engine, options.streamed_bytes, *request_.device);
    return std::make_unique<TrtSession>(
        *request_.device, std::move(context),
        TrtSessionOptions{request.module, engine.sizes, options.cuda_graphs, options.profile_layers, warn});
  }

  std::vector<std::string> take_warnings() override {
    std::vector<std::string> warnings = TrtLog::instance().take_warnings();
    const std::lock_guard<std::mutex> lock(mutex_);
    warnings.insert(warnings.end(), warnings_.begin(), warnings_.end());
    warnings_.clear();
    return warnings;
  }

 private:
  // The engine that was found before, as long as it serves: a plan asks for every module, again for every generation,
  // and looking is reading all sidecars.
  EngineSidecar find(const ModuleRequest& request) const {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto known = found_.find(request.module);
    if (known != found_.end() && known->second.variant == request.variant.id &&
        takes_sizes(known->second.sizes, request.sizes)) {
      return known->second;
    }
    return found_[request.module] = find_engine(
               request_.engine_folder, {request.bundle, request.module, request.variant.id, name(), library_.version,
                                        request_.device->compute_capability(), request.sizes});
  }

  const TrtBackendRequest request_;
  const NvInferLibrary& library_;
  std::unique_ptr<nvinfer1::IRuntime> runtime_;
  mutable std::mutex mutex_;
  std::vector<std::string> warnings_;
  mutable std::map<std::string, EngineSidecar> found_;  // by module; the bundle is the pipeline's, as the backend is
};

}  // namespace

std::unique_ptr<Backend> make_trt_backend(const TrtBackendRequest& request) {
  const NvInferLibrary& library = nvinfer_library(request.tensorrt_folders);
  TrtLog& log = TrtLog::instance();
  log.take_errors();  // those of others
  std::unique_ptr<nvinfer1::IRuntime> runtime = library.make_runtime(log);
  const std::string said = log.take_errors();
  if (runtime == nullptr || said != ".") {
    // Where it fails, 10.15 gives a pointer to nothing that is not null (seen without a driver): not to be deleted.
    (void)runtime.release();
    throw BackendError(std::string(kFlavour.title) + " " + library.version + " (" + library.path +
                       ") does not start on cuda:" + std::to_string(request.device->index()) + said);
  }
  return std::make_unique<TrtBackend>(request, library, std::move(runtime));
}

}  // namespace vidrt::trt
