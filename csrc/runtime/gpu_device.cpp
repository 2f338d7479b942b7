#include "runtime/gpu_device.h"

#include "runtime/own_library.h"

namespace vidrt {
namespace {

OwnLibrary& cuda_library() {
  static OwnLibrary library("vidrt_cuda",
                            "this vidrt was built without CUDA: libvidrt_cuda.so was not found. Build it with "
                            "-DVIDRT_CUDA=ON, or set VIDRT_LIBRARY_DIR to the folder that has it (docs/devices.md).");
  return library;
}

}  // namespace

bool has_cuda_library() { return cuda_library().exists(); }

std::shared_ptr<GpuDevice> open_gpu_device(int index) {
  GpuDevice* device = cuda_library().function<GpuDevice*(int)>("vidrt_cuda_open_device")(index);
  return std::shared_ptr<GpuDevice>(device);
}

}  // namespace vidrt
