// The one door from a plugin to the kernels. A build with the CUDA kernels has them behind it (conv_launch_cuda.cpp);
// one without answers that it has none (conv_launch_none.cpp), and can still be loaded, parsed with and inspected.
#pragma once

#include <cuda_runtime_api.h>

#include "kernels/depthwise_separable_conv3d.h"
#include "tensorrt/plugins/conv_spec.h"

namespace vidrt::trt {

/// Bytes of device memory that launch_conv needs besides the tensors.
std::size_t conv_workspace(const ConvSpec& spec, const kernels::DepthwiseSeparableConv3dProblem& problem);

/// Queue the convolution on `stream`: the plain operator is problem.depthwise. Throws std::runtime_error when it could
/// not be queued.
void launch_conv(const ConvSpec& spec, const kernels::DepthwiseSeparableConv3dProblem& problem,
                 const kernels::DepthwiseSeparableConv3dTensors& tensors, void* workspace, cudaStream_t stream);

}  // namespace vidrt::trt
