#include "cuda/cuda_call.h"

#include "vidrt/errors.h"

namespace vidrt {
namespace {

// After these the primary context, and with it CUDA in the whole process, is lost.
bool loses_the_context(cudaError_t error) {
  switch (error) {
    case cudaErrorIllegalAddress:
    case cudaErrorIllegalInstruction:
    case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorHardwareStackError:
    case cudaErrorLaunchTimeout:
    case cudaErrorLaunchFailure:
    case cudaErrorAssert:
    case cudaErrorECCUncorrectable:
      return true;
    default:
      return false;
  }
}

const char* advice(cudaError_t error) {
  if (loses_the_context(error)) {
    return " Work that was queued before it may be at fault. CUDA does no more in this process: start it again.";
  }
  switch (error) {
    case cudaErrorInsufficientDriver:
      return " Install NVIDIA's driver, or a later one.";
    case cudaErrorNoDevice:
      return " Use device cpu, or check with nvidia-smi what the driver sees.";
    case cudaErrorMemoryAllocation:
      return " Free memory of the device, or lower the height, width or num_frames.";
    default:
      return "";
  }
}

}  // namespace

std::string cuda_error_text(cudaError_t error) {
  return std::string(cudaGetErrorName(error)) + " (" + cudaGetErrorString(error) + ")";
}

void check_cuda(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return;
  throw BackendError(std::string(what) + " failed in CUDA: " + cuda_error_text(error) + "." + advice(error));
}

}  // namespace vidrt
