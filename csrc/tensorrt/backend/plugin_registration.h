// Plugin libraries in TensorRT's registry, of which a process has one.
#pragma once

#include <dlfcn.h>

#include <string>

namespace vidrt::trt {

/// Whether TensorRT's registry has what `file` brings, once this is done. It refuses what it has already, as from a
/// build of engines in the same process; then the file is in the process.
template <typename Registry>
bool register_library(Registry& registry, const std::string& file) {
  void* earlier = dlopen(file.c_str(), RTLD_NOW | RTLD_NOLOAD);
  const bool is_registered = registry.loadLibrary(file.c_str()) != nullptr || earlier != nullptr;
  if (earlier != nullptr) dlclose(earlier);
  return is_registered;
}

}  // namespace vidrt::trt
