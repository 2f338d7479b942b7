// As depthwise_types.h.
#pragma once

#include "kernels/depthwise_separable_conv3d_cuda.h"

namespace vidrt::kernels::cuda {

CudaError separable_f32(const DepthwiseSeparableConv3dProblem& problem, const DepthwiseSeparableConv3dTensors& tensors,
                        void* workspace, CudaStream stream);
CudaError separable_f16(const DepthwiseSeparableConv3dProblem& problem, const DepthwiseSeparableConv3dTensors& tensors,
                        void* workspace, CudaStream stream);
CudaError separable_bf16(const DepthwiseSeparableConv3dProblem& problem, const DepthwiseSeparableConv3dTensors& tensors,
                         void* workspace, CudaStream stream);

}  // namespace vidrt::kernels::cuda
