#include "cuda_host/support/on_emulator.h"

#include <gtest/gtest.h>

namespace vidrt::kernels::testing {

using cuda_host::Rights;

void declare(const DepthwiseConv3dProblem& problem, const DepthwiseConv3dTensors& tensors, CUstream_st* device) {
  const auto declare_clip = [&](const char* name, const void* data, const ClipShape& shape, Rights rights) {
    device->memory.declare(name, data, static_cast<std::size_t>(shape.elements()) * size_of(problem.type), rights);
  };
  const auto& [kt, kh, kw] = problem.kernel;
  declare_clip("X", tensors.x, problem.x, Rights::kRead);
  declare_clip("W", tensors.weight, {1, problem.x.c, kt, kh, kw}, Rights::kRead);
  declare_clip("B", tensors.bias, {1, problem.x.c, 1, 1, 1}, Rights::kRead);
  declare_clip("residual", tensors.residual, problem.y, Rights::kRead);
  declare_clip("cache_in", tensors.cache_in, problem.cache(), Rights::kRead);
  declare_clip("Y", tensors.y, problem.y, Rights::kReadWrite);
  declare_clip("cache_out", tensors.cache_out, problem.cache(), Rights::kReadWrite);
}

Depthwise depthwise_on_emulator(std::uint64_t seed) {
  return [seed](const DepthwiseConv3dProblem& problem, const DepthwiseConv3dTensors& tensors) {
    CUstream_st device;
    device.seed = seed;
    declare(problem, tensors, &device);
    EXPECT_EQ(depthwise_conv3d_cuda(problem, tensors, &device), cudaSuccess);
  };
}

void declare_separable(const DepthwiseSeparableConv3dProblem& problem, const DepthwiseSeparableConv3dTensors& tensors,
                       Bytes& workspace, CUstream_st* device) {
  const ElementType type = problem.depthwise.type;
  const auto bytes_of = [&](std::int64_t elements) { return static_cast<std::size_t>(elements) * size_of(type); };
  DepthwiseConv3dTensors depthwise = tensors.depthwise;
  depthwise.residual = nullptr;
  depthwise.y = workspace.data();
  declare(problem.depthwise, depthwise, device);
  const std::int64_t outputs = problem.y.c;
  device->memory.declare("PW", tensors.pointwise, bytes_of(outputs * problem.depthwise.x.c), Rights::kRead);
  device->memory.declare("PB", tensors.pointwise_bias, bytes_of(outputs), Rights::kRead);
  device->memory.declare("residual", tensors.depthwise.residual, bytes_of(problem.y.elements()), Rights::kRead);
  device->memory.declare("result", tensors.depthwise.y, bytes_of(problem.y.elements()), Rights::kReadWrite);
}

Separable separable_on_emulator(std::uint64_t seed, cuda::LaunchShape* product) {
  return [=](const DepthwiseSeparableConv3dProblem& problem, const DepthwiseSeparableConv3dTensors& tensors) {
    Bytes workspace(depthwise_separable_conv3d_cuda_workspace(problem));
    CUstream_st device;
    device.seed = seed;
    declare_separable(problem, tensors, workspace, &device);
    EXPECT_EQ(depthwise_separable_conv3d_cuda(problem, tensors, workspace.data(), &device), cudaSuccess);
    if (product != nullptr) *product = device.launches.back();
  };
}

}  // namespace vidrt::kernels::testing
