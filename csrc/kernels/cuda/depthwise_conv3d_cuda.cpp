#include "kernels/depthwise_conv3d_cuda.h"

#include "kernels/cuda/depthwise_types.h"

namespace vidrt::kernels {

CudaError depthwise_conv3d_cuda(const DepthwiseConv3dProblem& problem, const DepthwiseConv3dTensors& tensors,
                                CudaStream stream) {
  switch (problem.type) {
    case ElementType::kFloat32:
      return cuda::depthwise_f32(problem, tensors, stream);
    case ElementType::kFloat16:
      return cuda::depthwise_f16(problem, tensors, stream);
    case ElementType::kBFloat16:
      return cuda::depthwise_bf16(problem, tensors, stream);
  }
  return cuda::depthwise_f32(problem, tensors, stream);
}

}  // namespace vidrt::kernels
