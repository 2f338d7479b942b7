// Depthwise 3D convolution on an NVIDIA GPU. Needs no CUDA header: the stream is only passed on.
#pragma once

#include "kernels/depthwise_conv3d.h"

struct CUstream_st;  // what a cudaStream_t points to

namespace vidrt::kernels {

using CudaStream = CUstream_st*;  // cudaStream_t
using CudaError = int;            // a cudaError_t, whose enumeration cannot be declared ahead; 0 is cudaSuccess

/// Queue the convolution on `stream` of the current device. Tensors are device pointers, each aligned as cudaMalloc's
/// (16 bytes serve; less is slower, not wrong); the host's problem and tensors may be gone when this returns.
/// Allocates nothing, waits for nothing, and can be captured in a CUDA graph. cache_out is written by the same launch.
/// Returns 0, or the cudaError_t of a launch that could not be queued.
CudaError depthwise_conv3d_cuda(const DepthwiseConv3dProblem& problem, const DepthwiseConv3dTensors& tensors,
                                CudaStream stream);

}  // namespace vidrt::kernels
