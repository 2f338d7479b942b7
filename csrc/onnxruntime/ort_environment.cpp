#include "onnxruntime/ort_environment.h"

#include <string>

#include "onnxruntime/ort_handle.h"
#include "onnxruntime/ort_library.h"

namespace vidrt {

OrtEnvironment::OrtEnvironment(const OrtApi& api) {
  const std::string what = "starting";
  // Errors come as exceptions that carry the message; it need not be printed as well.
  check_ort(api, api.CreateEnv(ORT_LOGGING_LEVEL_FATAL, "vidrt", &env_), what);
  OrtMemoryInfo* raw_memory = nullptr;
  check_ort(api, api.CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, &raw_memory), what);
  const OrtHandle<OrtMemoryInfo> memory = own(raw_memory, api.ReleaseMemoryInfo);
  // Extending by what is asked for, instead of by powers of two, keeps the peak near the need.
  const char* keys[] = {"arena_extend_strategy"};
  const std::size_t values[] = {1};  // kSameAsRequested
  OrtArenaCfg* raw_config = nullptr;
  check_ort(api, api.CreateArenaCfgV2(keys, values, 1, &raw_config), what);
  const OrtHandle<OrtArenaCfg> config = own(raw_config, api.ReleaseArenaCfg);
  check_ort(api, api.CreateAndRegisterAllocator(env_, memory.get(), config.get()), what);
}

const OrtEnvironment& ort_environment() {
  static const OrtEnvironment* const environment = new OrtEnvironment(*ort_library().api);
  return *environment;
}

}  // namespace vidrt
