#include "kernels/cuda/separable_launch.cuh"
#include "kernels/cuda/separable_types.h"

namespace vidrt::kernels::cuda {

CudaError separable_f16(const DepthwiseSeparableConv3dProblem& problem, const DepthwiseSeparableConv3dTensors& tensors,
                        void* workspace, CudaStream stream) {
  return launch_separable<Float16>(problem, tensors, workspace, stream);
}

}  // namespace vidrt::kernels::cuda
