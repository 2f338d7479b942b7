// What stands in the place of the CUDA kernels: the reference, on the host's memory.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>

namespace vidrt::trt::testing {

/// The stream on which the last launch was queued.
extern cudaStream_t last_stream;

/// A stream on which every launch fails with this error.
extern const cudaStream_t kBadStream;
constexpr cudaError_t kLaunchError = cudaErrorInvalidConfiguration;

/// What the separable operator asks for, by element of the result; it is written to.
constexpr std::size_t kWorkspacePerElement = 4;

}  // namespace vidrt::trt::testing
