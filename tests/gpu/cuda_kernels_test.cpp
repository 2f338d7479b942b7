// The CUDA kernels on a real device, against the reference: the cases of the emulated one. Have never run on a GPU.
#include <gtest/gtest.h>

#include "cuda_host/support/clip_parts.h"
#include "cuda_host/support/product_cases.h"
#include "cuda_host/support/rounded_reference.h"
#include "cuda_host/support/window_cases.h"
#include "gpu/support/on_gpu.h"

namespace vidrt::kernels::testing {
namespace {

class OnGpu : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string reason = why_no_gpu();
    if (!reason.empty()) GTEST_SKIP() << reason;
  }
};

TEST_F(OnGpu, EveryDepthwiseCaseIsAsTheReference) {
  for (const ConvCase& conv : depthwise_cases()) {
    expect_as_reference(conv, depthwise_on_gpu());
    if (HasFailure()) return;
  }
}

TEST_F(OnGpu, WindowsOfEveryFilterAreAsTheReference) {
  for (std::uint32_t seed = 1; seed <= kWindowCases; ++seed) {
    expect_as_reference(window_case(seed), depthwise_on_gpu());
    if (HasFailure()) return;
  }
}

TEST_F(OnGpu, ASizeOfAVideoModelIsAsTheReference) {
  for (const DataLayout layout : {DataLayout::kNCTHW, DataLayout::kNTHWC}) {
    ConvCase conv;
    conv.x = {1, 64, 9, 60, 104};
    conv.type = ElementType::kFloat16;
    conv.attributes.data_layout = layout;
    conv.attributes.temporal_padding = TemporalPadding::kCausal;
    conv.attributes.activation = Activation::kSilu;
    conv.cache_in = conv.cache_out = true;
    expect_as_reference(conv, depthwise_on_gpu());
  }
}

TEST_F(OnGpu, ACausalClipInAnyPartsGivesTheSameBits) {
  for (std::uint32_t seed = 1; seed <= 96; ++seed) expect_parts_as_whole(window_case(seed), depthwise_on_gpu());
}

TEST_F(OnGpu, TensorsMayBeginAtAnyElement) {
  for (std::uint32_t seed = 1; seed <= 48; ++seed) {
    const ConvCase conv = window_case(seed);
    expect_as_reference(conv, depthwise_on_gpu(at_once, size_of(conv.type)));
    if (HasFailure()) return;
  }
}

// The device orders blocks and warps as it likes: what depends on that shows here, if anywhere.
TEST_F(OnGpu, RunsGiveTheSameBits) {
  for (std::uint32_t seed = 1; seed <= 24; ++seed) {
    ConvCase conv = window_case(seed);
    SCOPED_TRACE(to_string(conv));
    const auto run = [&] {
      ConvTensors tensors = make_tensors(conv);
      depthwise_on_gpu()(make_problem(conv), views(conv, tensors));
      return tensors;
    };
    const ConvTensors expected = run();
    for (int again = 0; again < 8; ++again) {
      const ConvTensors got = run();
      ASSERT_EQ(got.y, expected.y);
      ASSERT_EQ(got.cache_out, expected.cache_out);
    }
  }
}

TEST_F(OnGpu, EverySeparableCaseIsAsTheReference) {
  for (const ConvCase& conv : separable_cases()) {
    expect_as_rounded_reference(conv, separable_on_gpu());
    if (HasFailure()) return;
  }
}

TEST_F(OnGpu, ProductsCutIntoTilesAreAsTheReference) {
  for (const auto& cases : {product_cases(), wide_product_cases()}) {
    for (const ConvCase& conv : cases) expect_as_rounded_reference(conv, separable_on_gpu());
  }
}

TEST_F(OnGpu, LaunchesCanBeCapturedInAGraph) {
  for (std::uint32_t seed = 1; seed <= 24; ++seed) {
    ConvCase conv = window_case(seed);
    expect_as_reference(conv, depthwise_on_gpu(in_a_graph));
    conv.outputs = 40;
    expect_as_rounded_reference(conv, separable_on_gpu(in_a_graph));
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace vidrt::kernels::testing
