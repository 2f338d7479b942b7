#include "running/reference_launchers.h"

#include <cstring>

#include "kernels/depthwise_separable_conv3d_cuda.h"

namespace vidrt::trt::testing {

cudaStream_t last_stream = nullptr;

namespace {
int bad = 0;
}
const cudaStream_t kBadStream = reinterpret_cast<cudaStream_t>(&bad);

}  // namespace vidrt::trt::testing

namespace vidrt::kernels {

using namespace vidrt::trt::testing;

CudaError depthwise_conv3d_cuda(const DepthwiseConv3dProblem& problem, const DepthwiseConv3dTensors& tensors,
                                CudaStream stream) {
  last_stream = stream;
  if (stream == kBadStream) return kLaunchError;
  depthwise_conv3d_ref(problem, tensors);
  return cudaSuccess;
}

std::size_t depthwise_separable_conv3d_cuda_workspace(const DepthwiseSeparableConv3dProblem& problem) {
  return kWorkspacePerElement * static_cast<std::size_t>(problem.y.elements());
}

CudaError depthwise_separable_conv3d_cuda(const DepthwiseSeparableConv3dProblem& problem,
                                          const DepthwiseSeparableConv3dTensors& tensors, void* workspace,
                                          CudaStream stream) {
  last_stream = stream;
  std::memset(workspace, 0, depthwise_separable_conv3d_cuda_workspace(problem));
  depthwise_separable_conv3d_ref(problem, tensors);
  return cudaSuccess;
}

}  // namespace vidrt::kernels

const char* cudaGetErrorString(cudaError_t) { return "as a test wants it"; }
