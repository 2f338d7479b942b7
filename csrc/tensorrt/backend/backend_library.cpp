// The functions that the core looks for in this library (runtime/tensorrt_library.h). Those of both flavours have the
// same names, but for the version, which an OwnLibrary has under its own.
#include "runtime/tensorrt_library.h"
#include "tensorrt/backend/nvinfer_library.h"
#include "tensorrt/backend/trt_backend.h"

#define VIDRT_TRT_EXPORT extern "C" __attribute__((visibility("default")))

#ifdef VIDRT_TENSORRT_RTX
VIDRT_TRT_EXPORT const char* vidrt_tensorrt_rtx_version() { return VIDRT_VERSION; }
#else
VIDRT_TRT_EXPORT const char* vidrt_tensorrt_version() { return VIDRT_VERSION; }
#endif

VIDRT_TRT_EXPORT void vidrt_tensorrt_check_library(const std::vector<std::string>& tensorrt_folders) {
  vidrt::trt::nvinfer_library(tensorrt_folders);
}

VIDRT_TRT_EXPORT vidrt::Backend* vidrt_tensorrt_make_backend(const vidrt::TrtBackendRequest& request) {
  return vidrt::trt::make_trt_backend(request).release();
}
