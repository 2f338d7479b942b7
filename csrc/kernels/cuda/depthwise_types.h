// The launcher for each element type: a translation unit of its own, so that they compile at the same time.
#pragma once

#include "kernels/depthwise_conv3d_cuda.h"

namespace vidrt::kernels::cuda {

CudaError depthwise_f32(const DepthwiseConv3dProblem& problem, const DepthwiseConv3dTensors& tensors,
                        CudaStream stream);
CudaError depthwise_f16(const DepthwiseConv3dProblem& problem, const DepthwiseConv3dTensors& tensors,
                        CudaStream stream);
CudaError depthwise_bf16(const DepthwiseConv3dProblem& problem, const DepthwiseConv3dTensors& tensors,
                         CudaStream stream);

}  // namespace vidrt::kernels::cuda
