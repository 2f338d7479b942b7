// Calls of the CUDA runtime, whose failures become exceptions.
#pragma once

#include <cuda_runtime_api.h>

#include <string>

namespace vidrt {

/// "cudaErrorNoDevice (no CUDA-capable device is detected)".
std::string cuda_error_text(cudaError_t error);

/// Throws BackendError where `error` is one: `what` was being done, CUDA's name and text of it, what to do next.
void check_cuda(cudaError_t error, const char* what);

/// The same for a launcher of csrc/kernels, which returns a cudaError_t as a number.
inline void check_launch(int error, const char* what) { check_cuda(static_cast<cudaError_t>(error), what); }

}  // namespace vidrt
