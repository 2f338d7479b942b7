// The CUDA kernels of the depthwise convolution on the emulated device, against the reference.
#include <gtest/gtest.h>

#include "cuda_host/support/on_emulator.h"

namespace vidrt::kernels::testing {
namespace {

TEST(DepthwiseCuda, EveryCaseIsAsTheReference) {
  for (const ConvCase& conv : depthwise_cases()) {
    expect_as_reference(conv, depthwise_on_emulator(conv.seed));
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace vidrt::kernels::testing
