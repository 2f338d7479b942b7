// Sums of 3x3 convolutions, by every instruction set of this processor, against sums in double precision.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "kernels/conv_sum_cpu.h"
#include "support/isas.h"
#include "support/stored_weight.h"
#include "support/threads.h"

namespace vidrt::kernels::testing {
namespace {

constexpr double kTolerance = 2e-6;  // of the sum of the weights' sizes, for normal X
constexpr std::int64_t kTaps = 9;

class Case {
 public:
  Case(const ConvSumProblem& problem, bool has_bias, unsigned seed) : problem_(problem) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal;
    for (const std::int64_t channels : problem.channels) {
      x_.emplace_back(static_cast<std::size_t>(problem.frames * channels * plane()));
      for (float& value : x_.back()) value = normal(random);
      weights_.emplace_back();
      for (std::int64_t i = 0; i < problem.outputs * channels * kTaps; ++i)
        weights_.back().add(problem.weight_type, normal(random));
    }
    if (has_bias) bias_.resize(static_cast<std::size_t>(problem.outputs));
    for (float& value : bias_) value = normal(random);
  }

  std::vector<float> run(Isa isa, const ParallelFor& parallel) const {
    std::vector<float> y(static_cast<std::size_t>(problem_.frames * problem_.outputs * plane()), NAN);
    // One byte off: scratch needs no alignment. Not numbers: it need not be cleared.
    std::vector<std::uint8_t> scratch(conv_sum_scratch_bytes(problem_, isa) + 1, 0xff);
    ConvSumTensors tensors;
    for (std::size_t i = 0; i < x_.size(); ++i) {
      ConvSumTerm term;
      term.x = x_[i].data();
      term.x_steps = {problem_.channels[i] * plane(), plane()};
      term.weight = weights_[i].bytes.data();
      term.channels = problem_.channels[i];
      tensors.terms.push_back(term);
    }
    tensors.bias = bias_.empty() ? nullptr : bias_.data();
    tensors.y = y.data();
    tensors.y_steps = {problem_.outputs * plane(), plane()};
    tensors.scratch = scratch.data() + 1;
    conv_sum_cpu(problem_, tensors, parallel, isa);
    return y;
  }

  /// The case of one of its frames.
  Case frame(std::size_t index) const {
    Case one = *this;
    one.problem_.frames = 1;
    for (std::vector<float>& x : one.x_) {
      const std::size_t size = x.size() / static_cast<std::size_t>(problem_.frames);
      const auto begin = x.begin() + static_cast<std::ptrdiff_t>(index * size);
      x = std::vector<float>(begin, begin + static_cast<std::ptrdiff_t>(size));
    }
    return one;
  }

  void expect_right(const std::vector<float>& y) const {
    std::size_t at = 0;
    for (std::int64_t frame = 0; frame < problem_.frames; ++frame) {
      for (std::int64_t output = 0; output < problem_.outputs; ++output) {
        for (std::int64_t row = 0; row < problem_.height; ++row) {
          for (std::int64_t column = 0; column < problem_.width; ++column, ++at) {
            const auto [sum, size] = result(frame, output, row, column);
            ASSERT_LE(std::abs(y[at] - sum), kTolerance * size)
                << "frame " << frame << ", output " << output << ", row " << row << ", column " << column;
          }
        }
      }
    }
  }

 private:
  std::int64_t plane() const { return problem_.height * problem_.width; }

  // One result, and the sum of the sizes of bias and weights: of all, also at the border. The transformed numbers are
  // as large as those of the whole tile, so that a result of few products has the error of one of many.
  std::pair<double, double> result(std::int64_t frame, std::int64_t output, std::int64_t row,
                                   std::int64_t column) const {
    double sum = bias_.empty() ? 0.0 : static_cast<double>(bias_[static_cast<std::size_t>(output)]);
    double size = std::abs(sum);
    for (std::size_t term = 0; term < x_.size(); ++term) {
      const std::int64_t channels = problem_.channels[term];
      for (std::int64_t channel = 0; channel < channels; ++channel) {
        for (std::int64_t tap = 0; tap < kTaps; ++tap) {
          const auto weight = static_cast<double>(
              weights_[term].values[static_cast<std::size_t>((output * channels + channel) * kTaps + tap)]);
          size += std::abs(weight);
          const std::int64_t y = row + tap / 3 - 1;
          const std::int64_t x = column + tap % 3 - 1;
          if (y < 0 || y >= problem_.height || x < 0 || x >= problem_.width) continue;
          sum +=
              weight *
              static_cast<double>(
                  x_[term][static_cast<std::size_t>((frame * channels + channel) * plane() + y * problem_.width + x)]);
        }
      }
    }
    return {sum, size};
  }

  ConvSumProblem problem_;
  std::vector<std::vector<float>> x_;
  std::vector<StoredWeight> weights_;
  std::vector<float> bias_;
};

ConvSumProblem problem_of(std::int64_t frames, std::vector<std::int64_t> channels, std::int64_t outputs,
                          std::int64_t height, std::int64_t width, ElementType type = ElementType::kFloat32) {
  ConvSumProblem problem;
  problem.frames = frames;
  problem.height = height;
  problem.width = width;
  problem.outputs = outputs;
  problem.weight_type = type;
  problem.channels = std::move(channels);
  return problem;
}

class ConvSum : public ::testing::TestWithParam<Isa> {
 protected:
  void SetUp() override {
    if (kernels_of(GetParam()) == nullptr) GTEST_SKIP() << "this processor has no " << to_string(GetParam());
  }

  void expect_right(const ConvSumProblem& problem, bool has_bias = true, const ParallelFor& parallel = sequential()) {
    SCOPED_TRACE(std::to_string(problem.frames) + " frames of " + std::to_string(problem.height) + "x" +
                 std::to_string(problem.width) + ", " + std::to_string(problem.outputs) + " outputs, " +
                 to_string(problem.weight_type));
    const Case one(problem, has_bias, ++seed_);
    one.expect_right(one.run(GetParam(), parallel));
  }

  unsigned seed_ = 0;
};

TEST_P(ConvSum, EveryTypeOfWeight) {
  for (const ElementType type : {ElementType::kFloat32, ElementType::kFloat16, ElementType::kBFloat16}) {
    expect_right(problem_of(2, {5}, 9, 7, 10, type));
  }
}

TEST_P(ConvSum, EverySizeOfAFrame) {
  for (const std::int64_t height : {1, 2, 3, 4, 5, 8, 9}) {
    for (const std::int64_t width : {1, 2, 3, 4, 5, 15, 16, 17, 31, 33, 63, 64, 65, 70}) {
      expect_right(problem_of(1, {2}, 3, height, width));
    }
  }
}

TEST_P(ConvSum, TermsOfDifferentChannels) { expect_right(problem_of(3, {1, 7, 4}, 17, 6, 21), true, threads(3)); }

TEST_P(ConvSum, WithoutABias) { expect_right(problem_of(1, {3}, 8, 5, 5), false); }

// Chunks of channels end within a term.
TEST_P(ConvSum, SumsOverSeveralChunks) { expect_right(problem_of(1, {150, 150, 150}, 5, 5, 9), true, threads(2)); }

// Rows of tiles in several goes, over the borders of frames.
TEST_P(ConvSum, FramesInSeveralBlocks) {
  const ConvSumProblem problem = problem_of(3, {24}, 24, 130, 260);
  const std::int64_t tiles = 3 * 33 * 65;
  ASSERT_LT(conv_sum_scratch_bytes(problem, GetParam()), static_cast<std::size_t>(36 * (24 + 24) * 4 * tiles));
  expect_right(problem, true, threads(2));
}

TEST_P(ConvSum, NoFramesAreNoWork) {
  EXPECT_TRUE(Case(problem_of(0, {3}, 8, 5, 5), true, 1).run(GetParam(), sequential()).empty());
}

// A video is decoded in chunks of any size: bit for bit the same.
TEST_P(ConvSum, AFrameIsTheSameInAnyCompany) {
  const Case together(problem_of(3, {200, 20}, 12, 9, 14), true, 5);
  const std::vector<float> y = together.run(GetParam(), sequential());
  const std::size_t frame = y.size() / 3;
  for (std::size_t i = 0; i < 3; ++i) {
    const std::vector<float> alone = together.frame(i).run(GetParam(), threads(3));
    EXPECT_TRUE(std::equal(alone.begin(), alone.end(), y.begin() + static_cast<std::ptrdiff_t>(i * frame))) << i;
  }
}

TEST_P(ConvSum, ScratchHasABoundWhateverTheSizes) {
  EXPECT_LE(conv_sum_scratch_bytes(problem_of(4, {96, 96, 96}, 96, 704, 1280), GetParam()), std::size_t{16} << 20U);
  EXPECT_LE(conv_sum_scratch_bytes(problem_of(4, {384, 384, 384}, 384, 60, 104), GetParam()), std::size_t{16} << 20U);
}

INSTANTIATE_TEST_SUITE_P(Isas, ConvSum, ::testing::ValuesIn(kIsasOfTheArchitecture),
                         [](const auto& isa) { return std::string(to_string(isa.param)); });

}  // namespace
}  // namespace vidrt::kernels::testing
