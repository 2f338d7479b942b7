// The CUDA kernels of the depthwise convolution on the emulated device, against the reference.
#include <gtest/gtest.h>

#include <algorithm>

#include "cuda_host/support/clip_parts.h"
#include "cuda_host/support/on_emulator.h"
#include "cuda_host/support/window_cases.h"
#include "kernels/cuda/window_plan.h"

namespace vidrt::kernels::testing {
namespace {

TEST(DepthwiseCuda, EveryCaseIsAsTheReference) {
  for (const ConvCase& conv : depthwise_cases()) {
    expect_as_reference(conv, depthwise_on_emulator(conv.seed));
    if (HasFailure()) return;
  }
}

TEST(DepthwiseCuda, WindowsOfEveryFilterAreAsTheReference) {
  int cut = 0;
  for (std::uint32_t seed = 1; seed <= kWindowCases; ++seed) {
    const ConvCase conv = window_case(seed);
    const auto plan = cuda::plan_window(make_problem(conv));
    ASSERT_TRUE(plan) << to_string(conv);
    if (plan->tiles.rows > 1 && plan->tiles.columns > 1 && plan->tiles.frames > 1) ++cut;
    expect_as_reference(conv, depthwise_on_emulator(seed));
    if (HasFailure()) return;
  }
  EXPECT_GE(cut, 5) << "clips that are cut along time, height and width";
}

ConvTensors on_device(const ConvCase& conv, std::uint64_t seed) {
  ConvTensors tensors = make_tensors(conv);
  depthwise_on_emulator(seed)(make_problem(conv), views(conv, tensors));
  return tensors;
}

TEST(DepthwiseCuda, BlocksAndThreadsInAnyOrderGiveTheSameBits) {
  for (std::uint32_t seed = 1; seed <= 24; ++seed) {
    const ConvCase conv = window_case(seed);
    SCOPED_TRACE(to_string(conv));
    const ConvTensors expected = on_device(conv, 0);
    for (std::uint64_t order = 1; order < 4; ++order) {
      const ConvTensors got = on_device(conv, order);
      EXPECT_EQ(got.y, expected.y);
      EXPECT_EQ(got.cache_out, expected.cache_out);
    }
  }
}

TEST(DepthwiseCuda, ACausalClipInAnyPartsGivesTheSameBits) {
  for (std::uint32_t seed = 1; seed <= 96; ++seed) expect_parts_as_whole(window_case(seed), depthwise_on_emulator(1));
}

// A tensor inside a buffer need not begin where a word of 16 bytes does.
TEST(DepthwiseCuda, TensorsMayBeginAtAnyElement) {
  for (std::uint32_t seed = 1; seed <= 48; ++seed) {
    ConvCase conv = window_case(seed);
    conv.x.h = std::min<std::int64_t>(conv.x.h, 8);
    SCOPED_TRACE(to_string(conv));
    ConvTensors expected = on_device(conv, 1);
    ConvTensors tensors = make_tensors(conv);
    const std::size_t element = size_of(conv.type);
    for (Bytes* bytes : {&tensors.x, &tensors.residual, &tensors.cache_in, &tensors.y, &tensors.cache_out}) {
      bytes->insert(bytes->begin(), element, 0);
    }
    DepthwiseConv3dTensors view = views(conv, tensors);
    const auto skip = [&](const void* data) { return static_cast<const unsigned char*>(data) + element; };
    view.x = skip(view.x);
    if (conv.residual) view.residual = skip(view.residual);
    if (conv.cache_in) view.cache_in = skip(view.cache_in);
    view.y = tensors.y.data() + element;
    if (conv.cache_out) view.cache_out = tensors.cache_out.data() + element;
    depthwise_on_emulator(1)(make_problem(conv), view);
    for (Bytes* bytes : {&tensors.y, &tensors.cache_out}) {
      bytes->erase(bytes->begin(), bytes->begin() + static_cast<std::ptrdiff_t>(element));
    }
    EXPECT_EQ(tensors.y, expected.y);
    EXPECT_EQ(tensors.cache_out, expected.cache_out);
  }
}

}  // namespace
}  // namespace vidrt::kernels::testing
