#include "tensorrt/backend/trt_plugins.h"

#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <set>
#include <sstream>
#include <vector>

#include "runtime/own_library.h"
#include "runtime/sha256.h"
#include "tensorrt/backend/plugin_registration.h"
#include "tensorrt/backend/trt_log.h"
#include "vidrt/errors.h"

namespace vidrt::trt {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLibrary = "libvidrt_trt_plugins.so";

// A library of that name; empty where there is none.
std::string find(const std::string& name) {
  const char* given = std::getenv("VIDRT_TENSORRT_PLUGINS");
  std::istringstream files(given == nullptr ? "" : given);
  for (std::string file; std::getline(files, file, ':');) {
    if (fs::path(file).filename() == name) return file;
  }
  const fs::path beside = fs::path(own_folder()) / name;
  std::error_code error;
  return fs::exists(beside, error) ? beside.string() : "";
}

}  // namespace

bool has_plugin(const std::string& op) {
  return (op == "vidrt::DepthwiseConv3d" || op == "vidrt::DepthwiseSeparableConv3d") && !find(kLibrary).empty();
}

void load_plugins(const NvInferLibrary& library, const std::map<std::string, std::string>& plugins) {
  static std::mutex mutex;
  static std::set<std::string> loaded;  // SHA-256
  const std::lock_guard<std::mutex> lock(mutex);
  for (const auto& [name, sha256] : plugins) {
    if (loaded.count(sha256) != 0) continue;
    const std::string file = find(name);
    const std::string advice = " Name it in VIDRT_TENSORRT_PLUGINS, or build the engine again with this vidrt's.";
    if (file.empty()) {
      throw BackendError("the engine was built with the plugin library " + name + ", which is not beside vidrt's " +
                         "TensorRT backend (" + own_folder() + ")." + advice);
    }
    if (sha256_of_file(file) != sha256) {
      throw BackendError("the engine was built with another " + name + " than " + file + "." + advice);
    }
    TrtLog::instance().take_errors();  // those of others
    if (!register_library(*library.plugin_registry(), file)) {
      throw BackendError("TensorRT does not load the plugin library " + file + TrtLog::instance().take_errors());
    }
    loaded.insert(sha256);
  }
}

}  // namespace vidrt::trt
