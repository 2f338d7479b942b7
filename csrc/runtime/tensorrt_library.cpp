#include "runtime/tensorrt_library.h"

#include <algorithm>
#include <mutex>

#include "runtime/engine_store.h"
#include "runtime/own_library.h"
#include "vidrt/errors.h"

namespace vidrt {
namespace {

std::mutex& guard() {
  static std::mutex mutex;
  return mutex;
}

std::vector<std::string>& folders() {
  static std::vector<std::string> paths;
  return paths;
}

OwnLibrary& library() {
  static OwnLibrary library("vidrt_tensorrt",
                            "this vidrt has no tensorrt backend, which is built where TensorRT's headers are found "
                            "(docs/engines.md). Use backend onnxruntime (device cpu) or onnxruntime-cuda (device cuda:N).");
  return library;
}

}  // namespace

void add_tensorrt_search_path(const std::string& folder) {
  const std::lock_guard<std::mutex> lock(guard());
  if (std::find(folders().begin(), folders().end(), folder) == folders().end()) folders().push_back(folder);
}

std::shared_ptr<Backend> make_tensorrt_backend(const std::string& backend, int device_index) {
  if (backend != "tensorrt") {
    throw BackendError("vidrt builds engines for " + backend + " (vidrt build) and does not run them yet; use backend " +
                       "tensorrt, onnxruntime-cuda (device cuda:N) or onnxruntime (device cpu).");
  }
  const std::lock_guard<std::mutex> lock(guard());
  library().function<TrtCheckLibrary>(kTrtCheckLibrary)(folders());
  const TrtBackendRequest request{backend, open_gpu_device(device_index), folders(), default_engine_folder()};
  return std::shared_ptr<Backend>(library().function<TrtMakeBackend>(kTrtMakeBackend)(request));
}

}  // namespace vidrt
