// Depthwise then 1x1x1 convolution on an NVIDIA GPU.
#pragma once

#include <cstddef>

#include "kernels/depthwise_conv3d_cuda.h"
#include "kernels/depthwise_separable_conv3d.h"

namespace vidrt::kernels {

/// Bytes of device memory that the launcher below needs besides the tensors; may be 0. A function of the problem alone.
std::size_t depthwise_separable_conv3d_cuda_workspace(const DepthwiseSeparableConv3dProblem& problem);

/// As depthwise_conv3d_cuda. `workspace` is device memory of the size above, aligned to 16 bytes, that nothing else uses
/// until the work is done; it may be null where the size is 0. What lies between the two convolutions is rounded to the
/// element type.
CudaError depthwise_separable_conv3d_cuda(const DepthwiseSeparableConv3dProblem& problem,
                                          const DepthwiseSeparableConv3dTensors& tensors, void* workspace,
                                          CudaStream stream);

}  // namespace vidrt::kernels
