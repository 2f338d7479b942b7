#include "runtime/tensorrt_library.h"

#include "runtime/engine_store.h"
#include "runtime/library_search.h"
#include "runtime/own_library.h"
#include "vidrt/errors.h"

namespace vidrt {
namespace {

SearchFolders& folders() {
  static SearchFolders folders;
  return folders;
}

OwnLibrary& library() {
  static OwnLibrary library(
      "vidrt_tensorrt",
      "this vidrt has no tensorrt backend, which is built where TensorRT's headers are found "
      "(docs/engines.md). Use backend onnxruntime (device cpu) or onnxruntime-cuda (device cuda:N).");
  return library;
}

}  // namespace

void add_tensorrt_search_path(const std::string& folder) { folders().add(folder); }

std::shared_ptr<Backend> make_tensorrt_backend(const std::string& backend, int device_index) {
  if (backend != "tensorrt") {
    throw BackendError("vidrt builds engines for " + backend +
                       " (vidrt build) and does not run them yet; use backend " +
                       "tensorrt, onnxruntime-cuda (device cuda:N) or onnxruntime (device cpu).");
  }
  library().function<TrtCheckLibrary>(kTrtCheckLibrary)(folders().all());
  const TrtBackendRequest request{backend, open_gpu_device(device_index), folders().all(), default_engine_folder()};
  return std::shared_ptr<Backend>(library().function<TrtMakeBackend>(kTrtMakeBackend)(request));
}

}  // namespace vidrt
