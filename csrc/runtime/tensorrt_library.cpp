#include "runtime/tensorrt_library.h"

#include "runtime/engine_store.h"
#include "runtime/library_search.h"
#include "runtime/own_library.h"
#include "vidrt/errors.h"

namespace vidrt {
namespace {

struct Flavour {
  OwnLibrary library;
  SearchFolders folders;
};

// Of the backend "tensorrt", or "tensorrt-rtx".
Flavour& flavour(const std::string& backend) {
  static const std::string instead =
      " (docs/engines.md). Use backend onnxruntime (device cpu) or onnxruntime-cuda (device cuda:N).";
  static Flavour tensorrt{
      {"vidrt_tensorrt",
       "this vidrt has no tensorrt backend, which is built where TensorRT's headers are found" + instead},
      {}};
  static Flavour rtx{{"vidrt_tensorrt_rtx",
                      "this vidrt builds engines for tensorrt-rtx and does not run them: the backend is built where "
                      "TENSORRT_RTX_ROOT has the headers of TensorRT for RTX" +
                          instead},
                     {}};
  return backend == "tensorrt" ? tensorrt : rtx;
}

}  // namespace

void add_tensorrt_search_path(const std::string& backend, const std::string& folder) {
  flavour(backend).folders.add(folder);
}

std::shared_ptr<Backend> make_tensorrt_backend(const std::string& backend, int device_index) {
  OwnLibrary& library = flavour(backend).library;
  const std::vector<std::string> folders = flavour(backend).folders.all();
  library.function<TrtCheckLibrary>(kTrtCheckLibrary)(folders);
  const TrtBackendRequest request{backend, open_gpu_device(device_index), folders, default_engine_folder()};
  return std::shared_ptr<Backend>(library.function<TrtMakeBackend>(kTrtMakeBackend)(request));
}

}  // namespace vidrt
