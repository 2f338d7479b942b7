// TensorRT's own library, opened when first needed. Nothing of it is linked.
#pragma once

#include <NvInferRuntime.h>

#include <memory>
#include <string>
#include <vector>

namespace vidrt::trt {

struct NvInferLibrary {
  std::string path;
  std::string version;  // "10.3.0.26"
  nvinfer1::IPluginRegistry* (*plugin_registry)() = nullptr;
  void* (*create_runtime)(void* logger, std::int32_t version) = nullptr;

  /// Where TensorRT refuses, its log says why and the result is null or dangling.
  std::unique_ptr<nvinfer1::IRuntime> make_runtime(nvinfer1::ILogger& logger) const;
};

/// The library, opened once for the process and never closed. Searched in this order: the file that the flavour's
/// variable names (and no other, where it is set), a copy already in the process, `folders`, the loader's path. Throws
/// BackendError that lists all that was tried; the next call tries again.
const NvInferLibrary& nvinfer_library(const std::vector<std::string>& folders);

}  // namespace vidrt::trt
