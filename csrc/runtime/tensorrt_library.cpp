#include "runtime/tensorrt_library.h"

#include <dlfcn.h>

#include <algorithm>
#include <map>
#include <mutex>

#include "runtime/engine_store.h"
#include "runtime/library_search.h"
#include "vidrt/errors.h"
#include "vidrt/version.h"

namespace vidrt {
namespace {

struct TrtLibrary {
  TrtCheckLibrary* check = nullptr;
  TrtMakeBackend* make = nullptr;
};

std::mutex& guard() {
  static std::mutex mutex;
  return mutex;
}

std::vector<std::string>& folders() {
  static std::vector<std::string> paths;
  return paths;
}

std::string file_of(const std::string& backend) {
  return backend == "tensorrt" ? "libvidrt_tensorrt.so" : "libvidrt_tensorrt_rtx.so";
}

std::string read(void* handle, TrtLibrary* library) {
  const auto version = reinterpret_cast<TrtLibraryVersion*>(dlsym(handle, kTrtLibraryVersion));
  library->check = reinterpret_cast<TrtCheckLibrary*>(dlsym(handle, kTrtCheckLibrary));
  library->make = reinterpret_cast<TrtMakeBackend*>(dlsym(handle, kTrtMakeBackend));
  if (version == nullptr || library->check == nullptr || library->make == nullptr) return "is not vidrt's TensorRT backend";
  if (const std::string built = version(); built != VIDRT_VERSION) {
    return "belongs to vidrt " + built + ", this is " + VIDRT_VERSION;
  }
  return "";
}

// Opened once for the process and never closed.
const TrtLibrary& open(const std::string& backend) {
  static std::map<std::string, TrtLibrary> opened;
  const auto known = opened.find(backend);
  if (known != opened.end()) return known->second;
  TrtLibrary library;
  const std::string file = file_of(backend);
  const FoundLibrary found = find_library({"VIDRT_TENSORRT_BACKEND", file, {own_folder()}, {file}},
                                          [&](void* handle, const std::string&) { return read(handle, &library); });
  if (found.handle == nullptr) {
    const std::string only_builds = backend == "tensorrt" ? "" : " It builds engines (vidrt build), and does not run them.";
    throw BackendError("this vidrt has no " + backend + " backend: " + file + " is not there, which is built where " +
                       "TensorRT's headers are found (docs/engines.md)." + only_builds + " Use backend onnxruntime " +
                       "(device cpu) or onnxruntime-cuda (device cuda:N). Tried:" + found.tried);
  }
  return opened[backend] = library;
}

}  // namespace

void add_tensorrt_search_path(const std::string& folder) {
  const std::lock_guard<std::mutex> lock(guard());
  if (std::find(folders().begin(), folders().end(), folder) == folders().end()) folders().push_back(folder);
}

std::shared_ptr<Backend> make_tensorrt_backend(const std::string& backend, int device_index) {
  const std::lock_guard<std::mutex> lock(guard());
  const TrtLibrary& library = open(backend);
  library.check(folders());
  return std::shared_ptr<Backend>(
      library.make({backend, open_gpu_device(device_index), folders(), default_engine_folder()}));
}

}  // namespace vidrt
