#include <cuda_runtime_api.h>

#include <stdexcept>
#include <string>

#include "kernels/depthwise_separable_conv3d_cuda.h"
#include "tensorrt/plugins/conv_launch.h"

namespace vidrt::trt {

std::size_t conv_workspace(const ConvSpec& spec, const kernels::DepthwiseSeparableConv3dProblem& problem) {
  return spec.separable() ? kernels::depthwise_separable_conv3d_cuda_workspace(problem) : 0;
}

void launch_conv(const ConvSpec& spec, const kernels::DepthwiseSeparableConv3dProblem& problem,
                 const kernels::DepthwiseSeparableConv3dTensors& tensors, void* workspace, cudaStream_t stream) {
  const int error = spec.separable() ? kernels::depthwise_separable_conv3d_cuda(problem, tensors, workspace, stream)
                                     : kernels::depthwise_conv3d_cuda(problem.depthwise, tensors.depthwise, stream);
  if (error == cudaSuccess) return;
  throw std::runtime_error("the launch failed with CUDA error " + std::to_string(error) + " (" +
                           cudaGetErrorString(static_cast<cudaError_t>(error)) + ").");
}

}  // namespace vidrt::trt
