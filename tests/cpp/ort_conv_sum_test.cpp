// Sums of convolutions in ONNX Runtime: their results, and what their kernels take.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "kernels/cpu_isa.h"
#include "support/small_graph.h"
#include "support/stored_kernels.h"

namespace vidrt::testing {
namespace {

constexpr std::int64_t kHeight = 4, kWidth = 3, kFrames = 3;
constexpr std::int64_t kSide = 256;  // channels and outputs: 256 * 4 * 3 numbers are those of the latents
constexpr std::int64_t kTaps = 9;

ProtoWriter conv(const std::vector<std::string>& inputs, const std::string& output) {
  ProtoWriter pads;
  pads.bytes(1, "pads");
  for (int i = 0; i < 4; ++i) pads.varint(8, 1);
  return node("Conv", inputs, output).message(5, pads.varint(20, 7));
}

// A causal convolution as it is exported: a sum of three, each with a frame of one kernel; what is convolved with the
// frames is x, -x and the sigmoid of x.
class ConvSumInOnnxRuntime : public StoredKernels {
 protected:
  static constexpr std::size_t kElements = kSide * kSide * kFrames * kTaps;

  void SetUp() override {
    StoredKernels::SetUp();
    if (kernels::cpu_isa() == kernels::Isa::kGeneric)
      GTEST_SKIP() << "ONNX Runtime convolves where there are no vectors";
    weights = store("k", kElements, 1);
    Graph graph;
    graph.weight(stored("k", {kSide, kSide, kFrames, 3, 3}));
    graph.weight(shape("picture", {1, kSide, kHeight, kWidth})).weight(shape("whole", {1, 4, 1, 1, kChannels}));
    for (std::int64_t i = 0; i <= kFrames; ++i) graph.weight(shape(index(i), {i}));
    graph.node(node("Reshape", {"latents", "picture"}, "x0"));
    graph.node(node("Neg", {"x0"}, "x1")).node(node("Sigmoid", {"x0"}, "x2"));
    if (narrow()) graph.node(cast("k", "k.f"));
    for (std::int64_t i = 0; i < kFrames; ++i) {
      const std::string at = std::to_string(i);
      graph.node(node("Slice", {narrow() ? "k.f" : "k", index(i), index(i + 1), index(2)}, "s" + at));
      graph.node(node("Squeeze", {"s" + at, index(2)}, "k" + at)).node(conv({"x" + at, "k" + at}, "y" + at));
    }
    graph.node(node("Add", {"y0", "y1"}, "y01")).node(node("Add", {"y01", "y2"}, "y"));
    use(graph.node(node("Reshape", {"y", "whole"}, "prediction")));
  }

  // An initialiser of one number, which shape() writes as a list.
  static std::string index(std::int64_t value) { return "i" + std::to_string(value); }

  double expected(std::int64_t output, std::int64_t row, std::int64_t column) const {
    const std::vector<float> x = latents();
    double sum = 0.0;
    for (std::int64_t c = 0; c < kSide; ++c) {
      for (std::int64_t tap = 0; tap < kTaps; ++tap) {
        const std::int64_t i = row + tap / 3 - 1, j = column + tap % 3 - 1;
        if (i < 0 || i >= kHeight || j < 0 || j >= kWidth) continue;
        const double value = x[static_cast<std::size_t>((c * kHeight + i) * kWidth + j)];
        const double seen[kFrames] = {value, -value, 1.0 / (1.0 + std::exp(-value))};
        for (std::int64_t frame = 0; frame < kFrames; ++frame) {
          const std::int64_t at = ((output * kSide + c) * kFrames + frame) * kTaps + tap;
          sum += seen[frame] * static_cast<double>(weights[static_cast<std::size_t>(at)]);
        }
      }
    }
    return sum;
  }

  std::vector<float> weights;
};

TEST_P(ConvSumInOnnxRuntime, GivesTheSumOfTheConvolutions) {
  const std::vector<float> y = run(*load(0));
  double largest = 0.0;
  for (std::int64_t at = 0; at < kSide * kHeight * kWidth; at += 7) {
    const double sum = expected(at / (kHeight * kWidth), at / kWidth % kHeight, at % kWidth);
    ASSERT_NEAR(y[static_cast<std::size_t>(at)], sum, 3e-5) << at;  // sums of 6912
    largest = std::max(largest, std::abs(sum));
  }
  EXPECT_GT(largest, 1.0);
}

TEST_P(ConvSumInOnnxRuntime, IsOneNodeInsteadOfThree) {
  const auto session = load(0, true);
  run(*session);
  const ModuleProfile profile = session->take_layer_times().profile();
  const auto count = [&](const std::string& type) {
    return std::count_if(profile.layers.begin(), profile.layers.end(),
                         [&](const LayerTime& layer) { return layer.type == type; });
  };
  EXPECT_EQ(count("ConvSum"), 1);
  EXPECT_EQ(count("Conv") + count("Add") + count("Slice") + count("Cast"), 0);
}

TEST_P(ConvSumInOnnxRuntime, KernelsAreReadInPlaceFromWhenItIsLoaded) {
  const auto session = load(0);
  const auto kib = static_cast<std::int64_t>(kElements * element_bytes() / 1024);
  EXPECT_GE(resident_kib_of("weights/k.bin"), kib);  // what is measured in a run is no weight
}

TEST_P(ConvSumInOnnxRuntime, StreamedKernelsGiveTheSameBitsAndLeaveNoPagesBehind) {
  const std::vector<float> held = run(*load(0));
  const auto session = load(kAll);
  EXPECT_LT(resident_kib_of("weights/k.bin"), 200);  // what lies around it
  for (int again = 0; again < 2; ++again) {
    EXPECT_EQ(run(*session), held);
    EXPECT_LT(resident_kib_of("weights/k.bin"), 200);
  }
}

TEST_P(ConvSumInOnnxRuntime, ThePlanCountsTheKernelAsItIsStored) {
  EXPECT_EQ(needs().weight_bytes, kElements * element_bytes());
  EXPECT_EQ(needs().streamable_bytes, 0U);  // there is one alone, which is in memory while it is used
}

INSTANTIATE_TEST_SUITE_P(Stored, ConvSumInOnnxRuntime, ::testing::Values(kOnnxFloat, kOnnxHalf, kOnnxBrain),
                         name_of_stored_type);

// A convolution over the frames of two clips, which the latents are; of its results, as many as there are latents.
class ConvClipInOnnxRuntime : public StoredKernels {
 protected:
  static constexpr std::int64_t kClips = 2, kIn = 8, kOut = 24, kRows = 4, kColumns = 6;
  static constexpr std::int64_t kSeen = 4 * kChannels / (kClips * kIn * kRows * kColumns);  // frames of a clip: 8
  static constexpr std::int64_t kMade = kSeen - kFrames + 1;

  void SetUp() override {
    StoredKernels::SetUp();
    weights = store("k", kOut * kIn * kFrames * kTaps, 1);
    ProtoWriter pads;
    pads.bytes(1, "pads");
    for (const std::uint64_t pad : {0, 1, 1, 0, 1, 1}) pads.varint(8, pad);
    Graph graph;
    graph.weight(stored("k", {kOut, kIn, kFrames, 3, 3}));
    graph.weight(shape("clip", {kClips, kIn, kSeen, kRows, kColumns})).weight(shape("whole", {1, 4, 1, 1, kChannels}));
    graph.weight(shape("begin", {0})).weight(shape("end", {4 * kChannels})).weight(shape("flat", {-1}));
    graph.node(node("Reshape", {"latents", "clip"}, "x"));
    if (narrow()) graph.node(cast("k", "k.f"));
    graph.node(node("Conv", {"x", narrow() ? "k.f" : "k"}, "y").message(5, pads.varint(20, 7)));
    graph.node(node("Reshape", {"y", "flat"}, "f")).node(node("Slice", {"f", "begin", "end"}, "first"));
    use(graph.node(node("Reshape", {"first", "whole"}, "prediction")));
  }

  // The number at a place of Y.
  double expected(std::int64_t at) const {
    const std::vector<float> x = latents();
    const std::int64_t column = at % kColumns, row = at / kColumns % kRows, frame = at / (kColumns * kRows) % kMade;
    const std::int64_t output = at / (kColumns * kRows * kMade) % kOut, clip = at / (kColumns * kRows * kMade * kOut);
    double sum = 0.0;
    for (std::int64_t c = 0; c < kIn; ++c) {
      for (std::int64_t tap = 0; tap < kFrames * kTaps; ++tap) {
        const std::int64_t t = frame + tap / kTaps, i = row + tap / 3 % 3 - 1, j = column + tap % 3 - 1;
        if (i < 0 || i >= kRows || j < 0 || j >= kColumns) continue;
        const std::int64_t place = (((clip * kIn + c) * kSeen + t) * kRows + i) * kColumns + j;
        sum += static_cast<double>(x[static_cast<std::size_t>(place)]) *
               static_cast<double>(weights[static_cast<std::size_t>((output * kIn + c) * kFrames * kTaps + tap)]);
      }
    }
    return sum;
  }

  std::vector<float> weights;
};

TEST_P(ConvClipInOnnxRuntime, GivesTheConvolutionOverTime) {
  const std::vector<float> y = run(*load(0));
  for (std::size_t at = 0; at < y.size(); ++at) {
    ASSERT_NEAR(y[at], expected(static_cast<std::int64_t>(at)), 3e-6) << at;
  }
}

INSTANTIATE_TEST_SUITE_P(Stored, ConvClipInOnnxRuntime, ::testing::Values(kOnnxFloat, kOnnxHalf, kOnnxBrain),
                         name_of_stored_type);

}  // namespace
}  // namespace vidrt::testing
