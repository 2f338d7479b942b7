// Convolutions of tests/kernels/support on the emulated device.
#pragma once

#include "cuda_host/emulator/stream.h"
#include "kernels/depthwise_separable_conv3d_cuda.h"
#include "support/conv_case.h"

namespace vidrt::kernels::testing {

/// Tell the device of a convolution's tensors, which have the sizes that `problem` says.
void declare(const DepthwiseConv3dProblem& problem, const DepthwiseConv3dTensors& tensors, CUstream_st* device);

/// As declare(); `workspace` is what the launcher asks for.
void declare_separable(const DepthwiseSeparableConv3dProblem& problem, const DepthwiseSeparableConv3dTensors& tensors,
                       Bytes& workspace, CUstream_st* device);

/// Kernels for expect_as_reference: run on a new device whose orders come from `seed`. `product`: is given the shape of
/// the last launch, that of the 1x1x1 convolution.
Depthwise depthwise_on_emulator(std::uint64_t seed);
Separable separable_on_emulator(std::uint64_t seed, cuda::LaunchShape* product = nullptr);

}  // namespace vidrt::kernels::testing
