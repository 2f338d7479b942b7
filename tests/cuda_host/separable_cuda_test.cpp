// The CUDA kernels of depthwise then 1x1x1 convolution on the emulated device, against the reference.
#include <gtest/gtest.h>

#include "cuda_host/support/on_emulator.h"
#include "cuda_host/support/rounded_reference.h"

namespace vidrt::kernels::testing {
namespace {

TEST(SeparableCuda, EveryCaseIsAsTheReference) {
  for (const ConvCase& conv : separable_cases()) {
    expect_as_rounded_reference(conv, separable_on_emulator(conv.seed));
    if (HasFailure()) return;
  }
}

// More channels, outputs and positions than a block takes, at sizes whose words can move whole and at odd ones.
TEST(SeparableCuda, ProductsCutIntoTilesAreAsTheReference) {
  std::uint32_t seed = 1;
  for (const DataLayout layout : {DataLayout::kNCTHW, DataLayout::kNTHWC}) {
    for (const ElementType type : {ElementType::kFloat16, ElementType::kBFloat16, ElementType::kFloat32}) {
      for (const std::int64_t channels : {72, 71}) {
        ConvCase conv;
        conv.seed = seed++;
        conv.type = type;
        conv.attributes.data_layout = layout;
        conv.attributes.activation = Activation::kSilu;
        conv.kernel = {1, 3, 3};
        conv.x = {2, channels, 1, 9, channels == 72 ? 16 : 15};
        conv.outputs = channels + 10;
        conv.residual = true;
        expect_as_rounded_reference(conv, separable_on_emulator(conv.seed));
        if (HasFailure()) return;
      }
    }
  }
}

// Enough blocks for the wide tiles.
TEST(SeparableCuda, WideTilesAreAsTheReference) {
  for (const DataLayout layout : {DataLayout::kNCTHW, DataLayout::kNTHWC}) {
    ConvCase conv;
    conv.type = ElementType::kFloat16;
    conv.attributes.data_layout = layout;
    conv.kernel = {1, 1, 3};
    conv.x = {1, 8, 1, 64, 130};
    conv.outputs = 126;
    expect_as_rounded_reference(conv, separable_on_emulator(conv.seed));
  }
}

}  // namespace
}  // namespace vidrt::kernels::testing
