// The reference itself, against values worked out by hand and against its own definition.
#include <gtest/gtest.h>

#include <cmath>

#include "kernels/depthwise_conv3d.h"
#include "support/conv_case.h"

namespace vidrt::kernels::testing {
namespace {

// X along time 1, 2, 3 and the filter 1, 10, 100, everything else of size one.
struct TimeLine {
  ConvCase conv;
  std::vector<float> x{1, 2, 3};
  std::vector<float> cache{};

  explicit TimeLine(TemporalPadding padding, PadMode mode = PadMode::kZeros) {
    conv.attributes.temporal_padding = padding;
    conv.attributes.temporal_pad_mode = mode;
    conv.x = {1, 1, 3, 1, 1};
    conv.kernel = {3, 1, 1};
    conv.bias = false;
  }

  ConvTensors run() {
    conv.x.t = static_cast<std::int64_t>(x.size());
    conv.cache_in = !cache.empty();
    ConvTensors tensors = make_tensors(conv);
    tensors.x = from_floats(conv.type, x);
    tensors.weight = from_floats(conv.type, {1, 10, 100});
    if (conv.cache_in) tensors.cache_in = from_floats(conv.type, cache);
    depthwise_conv3d_ref(make_problem(conv), views(conv, tensors));
    return tensors;
  }
  std::vector<float> y() { return to_floats(conv.type, run().y); }
};

using Values = std::vector<float>;

TEST(DepthwiseReference, CausalReadsThePast) {
  EXPECT_EQ(TimeLine(TemporalPadding::kCausal).y(), (Values{100, 210, 321}));
  EXPECT_EQ(TimeLine(TemporalPadding::kCausal, PadMode::kReplicate).y(), (Values{111, 211, 321}));
}

TEST(DepthwiseReference, SameReadsBothWays) {
  EXPECT_EQ(TimeLine(TemporalPadding::kSame).y(), (Values{210, 321, 32}));
  EXPECT_EQ(TimeLine(TemporalPadding::kSame, PadMode::kReplicate).y(), (Values{211, 321, 332}));
}

TEST(DepthwiseReference, ValidReadsOnlyTheClip) { EXPECT_EQ(TimeLine(TemporalPadding::kValid).y(), (Values{321})); }

TEST(DepthwiseReference, ACacheStandsBeforeTheClip) {
  TimeLine line(TemporalPadding::kCausal);
  line.cache = {7, 8};
  EXPECT_EQ(line.y(), (Values{187, 218, 321}));
}

TEST(DepthwiseReference, AClipShorterThanTheCacheKeepsSomeOfIt) {
  TimeLine line(TemporalPadding::kCausal);
  line.x = {5};
  line.cache = {7, 8};
  line.conv.cache_out = true;
  EXPECT_EQ(to_floats(line.conv.type, line.run().cache_out), (Values{8, 5}));
}

TEST(DepthwiseReference, ReplicatedFramesEnterTheCache) {
  TimeLine line(TemporalPadding::kCausal, PadMode::kReplicate);
  line.x = {5};
  line.conv.cache_out = true;
  EXPECT_EQ(to_floats(line.conv.type, line.run().cache_out), (Values{5, 5}));
}

TEST(DepthwiseReference, StridesAndDilationsCountFrames) {
  TimeLine line(TemporalPadding::kCausal);
  line.x = {1, 2, 3, 4, 5};
  line.conv.attributes.strides[0] = 2;
  EXPECT_EQ(line.y(), (Values{100, 321, 543}));
  line.conv.attributes.strides[0] = 1;
  line.conv.attributes.dilations[0] = 2;
  EXPECT_EQ(line.y(), (Values{100, 200, 310, 420, 531}));
}

TEST(DepthwiseReference, BiasThenActivationThenResidual) {
  ConvCase conv;
  conv.x = {1, 1, 1, 1, 1};
  conv.kernel = {1, 1, 1};
  conv.residual = true;
  const double expected[] = {-1.0, 0.0, -1.0 / (1.0 + std::exp(1.0)), -0.15865525393145707, -0.15880801};
  const Activation activations[] = {Activation::kNone, Activation::kRelu, Activation::kSilu, Activation::kGelu,
                                    Activation::kGeluTanh};
  for (int i = 0; i < 5; ++i) {
    conv.attributes.activation = activations[i];
    ConvTensors tensors = make_tensors(conv);
    tensors.x = from_floats(conv.type, {2});
    tensors.weight = from_floats(conv.type, {-1});
    tensors.bias = from_floats(conv.type, {1});
    tensors.residual = from_floats(conv.type, {10});
    depthwise_conv3d_ref(make_problem(conv), views(conv, tensors));
    EXPECT_NEAR(to_floats(conv.type, tensors.y)[0], 10 + expected[i], 1e-6) << to_string(activations[i]);
  }
}

// Any split of a clip into calls gives the frames of one call over the whole.
TEST(DepthwiseReference, CausalCallsMayBeSplitAnywhere) {
  for (const PadMode mode : {PadMode::kZeros, PadMode::kReplicate}) {
    for (std::size_t first = 1; first < 6; ++first) {
      TimeLine whole(TemporalPadding::kCausal, mode);
      whole.x = {3, -1, 4, 1, -5, 9};
      whole.conv.attributes.dilations[0] = 2;
      TimeLine head = whole;
      head.x.resize(first);
      head.conv.cache_out = true;
      const ConvTensors done = head.run();
      TimeLine tail = whole;
      tail.x.erase(tail.x.begin(), tail.x.begin() + static_cast<std::ptrdiff_t>(first));
      tail.cache = to_floats(tail.conv.type, done.cache_out);
      Values joined = to_floats(head.conv.type, done.y);
      for (const float value : tail.y()) joined.push_back(value);
      EXPECT_EQ(joined, whole.y()) << first;
    }
  }
}

}  // namespace
}  // namespace vidrt::kernels::testing
