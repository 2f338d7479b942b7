// Depthwise 3D convolution on an NVIDIA GPU.
#pragma once

#include "kernels/cuda_stream.h"
#include "kernels/depthwise_conv3d.h"

namespace vidrt::kernels {

/// Queue the convolution on `stream` of the current device. Tensors are device pointers, each aligned as cudaMalloc's
/// (16 bytes serve; less is slower, not wrong); the host's problem and tensors may be gone when this returns.
/// Allocates nothing, waits for nothing, and can be captured in a CUDA graph. cache_out is written by the same launch.
/// Returns 0, or the cudaError_t of a launch that could not be queued.
CudaError depthwise_conv3d_cuda(const DepthwiseConv3dProblem& problem, const DepthwiseConv3dTensors& tensors,
                                CudaStream stream);

}  // namespace vidrt::kernels
