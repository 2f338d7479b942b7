// vidrt's TensorRT backends, one for each flavour: libraries of their own, opened when first asked for, so that one
// build of the core runs with TensorRT and without.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "runtime/gpu_device.h"
#include "runtime/session.h"

namespace vidrt {

/// Look for the TensorRT of a backend, "tensorrt" or "tensorrt-rtx", in this folder as well (a Python interpreter's
/// wheel).
void add_tensorrt_search_path(const std::string& backend, const std::string& folder);

/// Open device N with the backend "tensorrt" or "tensorrt-rtx". Throws BackendError where the library, TensorRT, the
/// driver or the device is missing.
std::shared_ptr<Backend> make_tensorrt_backend(const std::string& backend, int device_index);

/// What the library gets to make a backend.
struct TrtBackendRequest {
  std::string name;
  std::shared_ptr<GpuDevice> device;
  std::vector<std::string> tensorrt_folders;
  std::string engine_folder;
};

/// The functions of libvidrt_tensorrt.so and libvidrt_tensorrt_rtx.so, but for the version (runtime/own_library.h).
/// Their exceptions cross the border: both sides are built together.
using TrtCheckLibrary = void(const std::vector<std::string>& tensorrt_folders);  // throws BackendError
using TrtMakeBackend = Backend*(const TrtBackendRequest& request);               // throws BackendError; the caller's
inline constexpr const char* kTrtCheckLibrary = "vidrt_tensorrt_check_library";
inline constexpr const char* kTrtMakeBackend = "vidrt_tensorrt_make_backend";

}  // namespace vidrt
