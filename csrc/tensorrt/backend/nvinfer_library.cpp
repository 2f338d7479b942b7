#include "tensorrt/backend/nvinfer_library.h"

#include <dlfcn.h>

#include <mutex>
#include <optional>

#include "runtime/library_search.h"
#include "tensorrt/backend/flavour.h"
#include "vidrt/errors.h"

namespace vidrt::trt {
namespace {

struct Version {
  int major, minor, patch;

  std::string text() const { return std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(patch); }
};

// getInferLibVersion() gives (major * 100 + minor) * 100 + patch from TensorRT 10 on.
Version version_of(std::int32_t number) { return {number / 10000, number / 100 % 100, number % 100}; }

template <typename Function>
bool load(void* handle, const char* name, Function** function) {
  *function = reinterpret_cast<Function*>(dlsym(handle, name));
  return *function != nullptr;
}

// Why a library is not the TensorRT that this code calls; empty where it is.
std::string read(void* handle, const std::string& path, NvInferLibrary* library) {
  std::int32_t (*version_number)() = nullptr;
  const bool complete = load(handle, "getInferLibVersion", &version_number) &&
                        load(handle, "createInferRuntime_INTERNAL", &library->create_runtime) &&
                        load(handle, "getPluginRegistry", &library->plugin_registry);
  if (!complete)
    return std::string("is not ") + kFlavour.title +
           " (no getInferLibVersion, createInferRuntime_INTERNAL or getPluginRegistry)";
  const Version version = version_of(version_number());
  library->version = version.text();
  // Builds of one version refuse each other's plans.
  if (std::int32_t(*build_number)() = nullptr; load(handle, "getInferLibBuildVersion", &build_number)) {
    library->version += "." + std::to_string(build_number());
  }
  library->path = path;
  // Later minor versions run what was compiled for earlier ones; nothing else does.
  if (version.major == NV_TENSORRT_MAJOR && version.minor >= NV_TENSORRT_MINOR) return "";
  return "is version " + library->version + "; this build needs " + std::to_string(NV_TENSORRT_MAJOR) + "." +
         std::to_string(NV_TENSORRT_MINOR) + " or a later " + std::to_string(NV_TENSORRT_MAJOR) + ".x";
}

}  // namespace

std::unique_ptr<nvinfer1::IRuntime> NvInferLibrary::make_runtime(nvinfer1::ILogger& logger) const {
  return std::unique_ptr<nvinfer1::IRuntime>(
      static_cast<nvinfer1::IRuntime*>(create_runtime(&logger, NV_TENSORRT_VERSION)));
}

const NvInferLibrary& nvinfer_library(const std::vector<std::string>& folders) {
  static std::mutex mutex;
  static std::optional<NvInferLibrary> library;
  const std::lock_guard<std::mutex> lock(mutex);
  if (library.has_value()) return *library;
  const std::string major = std::to_string(NV_TENSORRT_MAJOR);
  const std::string name = std::string(kFlavour.library) + "." + major;
  NvInferLibrary opened;
  const FoundLibrary found =
      find_library({kFlavour.variable, kFlavour.library, folders, {name}},
                   [&](void* handle, const std::string& path) { return read(handle, path, &opened); });
  if (found.handle == nullptr) {
    throw BackendError(std::string(kFlavour.title) + " " + major + " (" + kFlavour.library +
                       ") was not found; install it (" + kFlavour.install + "), or set " + kFlavour.variable +
                       " to its shared library. Tried:" + found.tried);
  }
  library = opened;
  return *library;
}

}  // namespace vidrt::trt
