#include <stdexcept>

#include "tensorrt/plugins/conv_launch.h"

namespace vidrt::trt {

std::size_t conv_workspace(const ConvSpec&, const kernels::DepthwiseSeparableConv3dProblem&) { return 0; }

void launch_conv(const ConvSpec&, const kernels::DepthwiseSeparableConv3dProblem&,
                 const kernels::DepthwiseSeparableConv3dTensors&, void*, cudaStream_t) {
  throw std::runtime_error(
      "this libvidrt_trt_plugins was built without CUDA kernels and cannot run; build it with VIDRT_CUDA=ON.");
}

}  // namespace vidrt::trt
