// What libvidrt_cuda.so exports.
#include "cuda/cuda_device.h"

#define VIDRT_EXPORT extern "C" __attribute__((visibility("default")))

VIDRT_EXPORT const char* vidrt_cuda_version() { return VIDRT_VERSION; }

/// The caller's to delete. Throws vidrt::Error: the device's own calls do as well, and both sides are of one build.
VIDRT_EXPORT vidrt::GpuDevice* vidrt_cuda_open_device(int index) { return new vidrt::CudaDevice(index); }
