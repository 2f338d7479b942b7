// Libraries that are not the TensorRT that vidrt calls, or that do not start.
#ifndef FAKE_NO_TENSORRT
#include <NvInferRuntime.h>  // where log() stands among ILogger's functions depends on the version

#include <cstdint>

#define EXPORT extern "C" __attribute__((visibility("default")))

EXPORT std::int32_t getInferLibVersion() noexcept { return FAKE_VERSION; }
#ifdef FAKE_BUILD
EXPORT std::int32_t getInferLibBuildVersion() noexcept { return FAKE_BUILD; }
#endif
EXPORT nvinfer1::IPluginRegistry* getPluginRegistry() noexcept { return nullptr; }
EXPORT void* createInferRuntime_INTERNAL(void* logger, std::int32_t) noexcept {
  static_cast<nvinfer1::ILogger*>(logger)->log(nvinfer1::ILogger::Severity::kERROR, "the fake says no");
  return nullptr;
}
#else
extern "C" __attribute__((visibility("default"))) int nothing_of_tensorrt() { return 0; }
#endif
