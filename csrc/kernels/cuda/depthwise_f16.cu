#include "kernels/cuda/depthwise_launch.cuh"
#include "kernels/cuda/depthwise_types.h"

namespace vidrt::kernels::cuda {

CudaError depthwise_f16(const DepthwiseConv3dProblem& problem, const DepthwiseConv3dTensors& tensors,
                        CudaStream stream) {
  return launch_depthwise<Float16>(problem, tensors, stream);
}

}  // namespace vidrt::kernels::cuda
