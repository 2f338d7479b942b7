// The CUDA kernels of depthwise then 1x1x1 convolution on the emulated device, against the reference.
#include <gtest/gtest.h>

#include "cuda_host/support/on_emulator.h"
#include "cuda_host/support/product_cases.h"
#include "cuda_host/support/rounded_reference.h"

namespace vidrt::kernels::testing {
namespace {

TEST(SeparableCuda, EveryCaseIsAsTheReference) {
  for (const ConvCase& conv : separable_cases()) {
    expect_as_rounded_reference(conv, separable_on_emulator(conv.seed));
    if (HasFailure()) return;
  }
}

TEST(SeparableCuda, ProductsCutIntoTilesAreAsTheReference) {
  for (const ConvCase& conv : product_cases()) {
    expect_as_rounded_reference(conv, separable_on_emulator(conv.seed));
    if (HasFailure()) return;
  }
}

TEST(SeparableCuda, WideTilesAreAsTheReference) {
  for (const ConvCase& conv : wide_product_cases()) {
    cuda::LaunchShape product;
    expect_as_rounded_reference(conv, separable_on_emulator(conv.seed, &product));
    EXPECT_EQ(product.threads, 256u) << "of a wide tile; " << to_string(conv);
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace vidrt::kernels::testing
