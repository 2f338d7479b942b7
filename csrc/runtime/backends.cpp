#include "runtime/backends.h"

#include <charconv>
#include <optional>

#include "onnxruntime/ort_backend.h"
#include "runtime/tensorrt_library.h"
#include "vidrt/errors.h"

namespace vidrt {
namespace {

constexpr const char* kOrt = "onnxruntime";
constexpr const char* kOrtCuda = "onnxruntime-cuda";

// N of "cuda:N"; nothing for "cpu".
std::optional<int> cuda_device_index(const std::string& device) {
  if (device == "cpu") return std::nullopt;
  const std::string prefix = "cuda:";
  int index = -1;
  if (device.rfind(prefix, 0) == 0) {
    const char* end = device.data() + device.size();
    const auto [stop, error] = std::from_chars(device.data() + prefix.size(), end, index);
    if (error != std::errc() || stop != end) index = -1;
  }
  if (index < 0) throw InvalidArgument("unknown device '" + device + "'; expected cpu, or cuda:N with N from 0.");
  return index;
}

bool is_tensorrt(const std::string& backend) { return backend == "tensorrt" || backend == "tensorrt-rtx"; }

}  // namespace

void resolve_backend(PipelineOptions* options) {
  std::string& backend = options->backend;
  std::string& device = options->device;
  if (backend != "auto" && backend != kOrt && backend != kOrtCuda && !is_tensorrt(backend)) {
    throw InvalidArgument("unknown backend '" + backend +
                          "'; expected one of: auto, onnxruntime, onnxruntime-cuda, tensorrt, tensorrt-rtx.");
  }
  // Without a wish the device decides, and without a wish for that either it is the processor.
  if (device.empty()) device = backend == "auto" || backend == kOrt ? "cpu" : "cuda:0";
  const bool on_gpu = cuda_device_index(device).has_value();
  if (backend == "auto") backend = on_gpu ? kOrtCuda : kOrt;
  if (on_gpu == (backend != kOrt)) return;
  throw InvalidArgument("the backend " + backend + " runs on " + (on_gpu ? "cpu" : "cuda:N") + ", got the device '" +
                        device + "'" +
                        (on_gpu ? "; use backend onnxruntime-cuda or tensorrt." : "; leave it out for cuda:0."));
}

void check_can_profile(const PipelineOptions& resolved) {
  if (!resolved.profile_layers || resolved.backend != kOrtCuda) return;
  throw InvalidArgument("profile_layers does not go with the backend " + resolved.backend +
                        ", which times the launches of its kernels and not what they take; use tensorrt, or " +
                        "onnxruntime on the processor.");
}

std::shared_ptr<Backend> make_backend(const std::string& backend, const std::string& device) {
  PipelineOptions resolved;
  resolved.backend = backend;
  resolved.device = device;
  resolve_backend(&resolved);
  const std::optional<int> cuda = cuda_device_index(resolved.device);
  if (is_tensorrt(resolved.backend)) return make_tensorrt_backend(resolved.backend, *cuda);
  return make_ort_backend(resolved.backend, cuda);
}

}  // namespace vidrt
