#include "onnxruntime/ort_environment.h"

#include <string>

#include "onnxruntime/ort_library.h"

namespace vidrt {

OrtEnvironment::OrtEnvironment(const OrtApi& api) {
  const std::string what = "starting";
  // Errors come as exceptions that carry the message; it need not be printed as well.
  check_ort(api, api.CreateEnv(ORT_LOGGING_LEVEL_FATAL, "vidrt", &env_), what);
  // Some of its releases send what they are used for to their maker, unless told not to.
  check_ort(api, api.DisableTelemetryEvents(env_), what);
  activations_ = std::make_unique<OrtPoolAllocator>(api);
  check_ort(api, api.RegisterAllocator(env_, activations_->get()), what);
}

const OrtEnvironment& ort_environment() {
  static const OrtEnvironment* const environment = new OrtEnvironment(*ort_library().api);
  return *environment;
}

}  // namespace vidrt
