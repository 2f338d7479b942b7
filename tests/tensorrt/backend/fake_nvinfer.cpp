// Libraries that are not the TensorRT that vidrt calls, or that do not start. Knows nothing of TensorRT's headers but
// the place of ILogger::log among its virtual functions.
#include <cstdint>

#define EXPORT extern "C" __attribute__((visibility("default")))

#ifndef FAKE_NO_TENSORRT
struct Logger {
  virtual void log(std::int32_t severity, const char* message) noexcept = 0;

 protected:
  ~Logger() = default;
};

EXPORT std::int32_t getInferLibVersion() { return FAKE_VERSION; }
EXPORT void* getPluginRegistry() { return nullptr; }
EXPORT void* createInferRuntime_INTERNAL(void* logger, std::int32_t) {
  static_cast<Logger*>(logger)->log(1, "the fake says no");
  return nullptr;
}
#else
EXPORT int nothing_of_tensorrt() { return 0; }
#endif
