#include "runtime/tensorrt_library.h"

#include <algorithm>
#include <mutex>

#include "runtime/engine_store.h"
#include "runtime/own_library.h"

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

std::string without(const std::string& backend, const std::string& more) {
  return "this vidrt has no " + backend + " backend, which is built where TensorRT's headers are found " +
         "(docs/engines.md)." + more + " Use backend onnxruntime (device cpu) or onnxruntime-cuda (device cuda:N).";
}

OwnLibrary& library_of(const std::string& backend) {
  static OwnLibrary tensorrt("vidrt_tensorrt", without("tensorrt", ""));
  static OwnLibrary rtx("vidrt_tensorrt_rtx",
                        without("tensorrt-rtx", " It builds engines (vidrt build), and does not run them."));
  return backend == "tensorrt" ? tensorrt : rtx;
}

}  // namespace

void add_tensorrt_search_path(const std::string& folder) {
  const std::lock_guard<std::mutex> lock(guard());
  if (std::find(folders().begin(), folders().end(), folder) == folders().end()) folders().push_back(folder);
}

std::shared_ptr<Backend> make_tensorrt_backend(const std::string& backend, int device_index) {
  const std::lock_guard<std::mutex> lock(guard());
  OwnLibrary& library = library_of(backend);
  library.function<TrtCheckLibrary>(kTrtCheckLibrary)(folders());
  const TrtBackendRequest request{backend, open_gpu_device(device_index), folders(), default_engine_folder()};
  return std::shared_ptr<Backend>(library.function<TrtMakeBackend>(kTrtMakeBackend)(request));
}

}  // namespace vidrt
