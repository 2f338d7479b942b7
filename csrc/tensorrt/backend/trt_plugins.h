// The libraries of vidrt's operators for TensorRT: where they lie, and loaded once.
#pragma once

#include <map>
#include <string>

#include "tensorrt/backend/nvinfer_library.h"

namespace vidrt::trt {

/// Whether this build knows an operator ("vidrt::DepthwiseConv3d") and has the library with it.
bool has_plugin(const std::string& op);

/// Load the plugin libraries that an engine was built with, by file name and SHA-256 (EngineSidecar::plugins), from
/// VIDRT_TENSORRT_PLUGINS (files, separated by ':') or beside this library. Throws BackendError where one is missing or
/// another.
void load_plugins(const NvInferLibrary& library, const std::map<std::string, std::string>& plugins);

}  // namespace vidrt::trt
