#include "kernels/depthwise_separable_conv3d_cuda.h"

#include "kernels/cuda/separable_types.h"

namespace vidrt::kernels {

std::size_t depthwise_separable_conv3d_cuda_workspace(const DepthwiseSeparableConv3dProblem& problem) {
  return static_cast<std::size_t>(problem.depthwise.y.elements()) * size_of(problem.depthwise.type);
}

CudaError depthwise_separable_conv3d_cuda(const DepthwiseSeparableConv3dProblem& problem,
                                          const DepthwiseSeparableConv3dTensors& tensors, void* workspace,
                                          CudaStream stream) {
  switch (problem.depthwise.type) {
    case ElementType::kFloat32:
      return cuda::separable_f32(problem, tensors, workspace, stream);
    case ElementType::kFloat16:
      return cuda::separable_f16(problem, tensors, workspace, stream);
    case ElementType::kBFloat16:
      return cuda::separable_bf16(problem, tensors, workspace, stream);
  }
  return cuda::separable_f32(problem, tensors, workspace, stream);
}

}  // namespace vidrt::kernels
