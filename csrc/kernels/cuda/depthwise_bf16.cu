#include "kernels/cuda/depthwise_launch.cuh"
#include "kernels/cuda/depthwise_types.h"

namespace vidrt::kernels::cuda {

CudaError depthwise_bf16(const DepthwiseConv3dProblem& problem, const DepthwiseConv3dTensors& tensors,
                         CudaStream stream) {
  return launch_depthwise<BFloat16>(problem, tensors, stream);
}

}  // namespace vidrt::kernels::cuda
