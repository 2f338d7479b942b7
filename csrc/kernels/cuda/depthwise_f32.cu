#include "kernels/cuda/depthwise_launch.cuh"
#include "kernels/cuda/depthwise_types.h"

namespace vidrt::kernels::cuda {

CudaError depthwise_f32(const DepthwiseConv3dProblem& problem, const DepthwiseConv3dTensors& tensors,
                        CudaStream stream) {
  return launch_depthwise<float>(problem, tensors, stream);
}

}  // namespace vidrt::kernels::cuda
