#include "gpu/support/device.h"

#include <stdexcept>

namespace vidrt::kernels::testing {

std::string why_no_gpu() {
  int devices = 0;
  const cudaError_t error = cudaGetDeviceCount(&devices);
  if (error != cudaSuccess) return std::string("no CUDA device: ") + cudaGetErrorString(error);
  if (devices == 0) return "no CUDA device: the driver lists none";
  cudaDeviceProp properties;
  check(cudaGetDeviceProperties(&properties, 0), "cudaGetDeviceProperties");
  if (properties.major >= 8) return "";
  return std::string(properties.name) + " has compute capability " + std::to_string(properties.major) + "." +
         std::to_string(properties.minor) + ", the kernels need 8.0 or later";
}

void check(int error, const char* what) {
  if (error == cudaSuccess) return;
  std::string message = std::string(what) + ": " + cudaGetErrorString(static_cast<cudaError_t>(error));
  if (error == cudaErrorNoKernelImageForDevice) {
    message += "; build for it: cmake --preset cuda -DVIDRT_CUDA_ARCHITECTURES=80 (its compute capability, no dot)";
  }
  throw std::runtime_error(message);
}

}  // namespace vidrt::kernels::testing
