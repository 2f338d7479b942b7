// The processor's kernels of every instruction set that this machine has, against the reference.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <vector>

#include "kernels/depthwise_conv3d_cpu.h"
#include "kernels/depthwise_separable_conv3d_cpu.h"
#include "support/conv_case.h"
#include "support/isas.h"
#include "support/threads.h"

namespace vidrt::kernels::testing {
namespace {

void run(const DepthwiseConv3dProblem& problem, const DepthwiseConv3dTensors& tensors, const ParallelFor& parallel,
         Isa isa) {
  const PackedDepthwise packed =
      pack_depthwise(problem.kernel, problem.x.c, problem.type, tensors.weight, tensors.bias);
  depthwise_conv3d_cpu(problem, packed, tensors, parallel, isa);
}

class DepthwiseCpu : public ::testing::TestWithParam<Isa> {
 protected:
  void SetUp() override {
    if (kernels_of(GetParam()) == nullptr) GTEST_SKIP() << "this processor has no " << to_string(GetParam());
  }

  void expect_reference(const ConvCase& conv, const ParallelFor& parallel = sequential()) const {
    expect_as_reference(conv,
                        Depthwise([&](const DepthwiseConv3dProblem& problem, const DepthwiseConv3dTensors& tensors) {
                          run(problem, tensors, parallel, GetParam());
                        }));
  }

  void expect_separable_reference(const ConvCase& conv, const ParallelFor& parallel = sequential()) const {
    expect_as_reference(
        conv,
        Separable([&](const DepthwiseSeparableConv3dProblem& problem, const DepthwiseSeparableConv3dTensors& tensors) {
          const DepthwiseConv3dTensors& first = tensors.depthwise;
          const ElementType type = problem.depthwise.type;
          const std::int64_t channels = problem.depthwise.x.c;
          depthwise_separable_conv3d_cpu(
              problem, pack_depthwise(problem.depthwise.kernel, channels, type, first.weight, first.bias),
              pack_pointwise(problem.depthwise.attributes.data_layout, problem.y.c, channels, type, tensors.pointwise,
                             tensors.pointwise_bias),
              tensors, parallel, GetParam());
        }));
  }
};

TEST_P(DepthwiseCpu, EveryAttributeTypeAndKindOfSize) {
  for (const ConvCase& conv : depthwise_cases()) expect_reference(conv);
}

TEST_P(DepthwiseCpu, SeparableEveryAttributeTypeAndKindOfSize) {
  for (const ConvCase& conv : separable_cases()) expect_separable_reference(conv);
}

TEST_P(DepthwiseCpu, SeparableUnitsAreFramesRowsOrPartsOfRows) {
  ConvCase conv;
  conv.attributes.temporal_padding = TemporalPadding::kCausal;
  conv.residual = true;
  conv.outputs = 21;
  for (const DataLayout layout : {DataLayout::kNCTHW, DataLayout::kNTHWC}) {
    conv.attributes.data_layout = layout;
    for (const ClipShape& x : {ClipShape{1, 70, 9, 4, 4}, ClipShape{1, 600, 2, 9, 20}, ClipShape{1, 600, 1, 3, 301}}) {
      conv.x = x;
      conv.kernel = {3, 3, 3};
      expect_separable_reference(conv, threads(3));
      conv.kernel = {3, 1, 1};
      expect_separable_reference(conv, threads(2));
    }
  }
}

// Strips of rows and of columns meet here, and threads work on the parts of one channel.
TEST_P(DepthwiseCpu, LargePicturesAreCutIntoStrips) {
  ConvCase conv;
  conv.attributes.temporal_padding = TemporalPadding::kCausal;
  conv.x = {1, 2, 3, 67, 333};
  expect_reference(conv, threads(3));
  conv.x = {1, 1, 2, 5, 2500};
  expect_reference(conv, threads(2));
  conv.attributes.data_layout = DataLayout::kNTHWC;
  conv.x = {1, 19, 3, 23, 131};
  expect_reference(conv, threads(3));
}

TEST_P(DepthwiseCpu, FiltersWithoutExtentInSpaceReadFramesWhereTheyLie) {
  ConvCase conv;
  conv.attributes.temporal_padding = TemporalPadding::kCausal;
  conv.kernel = {3, 1, 1};
  conv.cache_in = conv.cache_out = conv.residual = true;
  for (const std::int64_t width : {1, 3, 16, 17, 40, 1301}) {
    conv.x = {2, 3, 4, 5, width};
    expect_reference(conv, threads(2));
  }
}

// All that lies between the positions that are read would be hundreds of gigabytes here.
TEST_P(DepthwiseCpu, StridesAndDilationsBeyondThePictureCostNothing) {
  ConvCase conv;
  conv.x = {1, 2, 3, 5, 9};
  for (const DataLayout layout : {DataLayout::kNCTHW, DataLayout::kNTHWC}) {
    conv.attributes.data_layout = layout;
    for (const PadMode mode : {PadMode::kZeros, PadMode::kReplicate}) {
      conv.attributes.spatial_pad_mode = mode;
      for (const std::int64_t dilation : {4, 5, 8, 9, 10, 65536}) {
        conv.attributes.dilations = {1, dilation, dilation};
        for (const std::int64_t stride : {1, 2, 65536}) {
          conv.attributes.strides = {1, stride, stride};
          conv.kernel = {3, 3, 3};
          expect_reference(conv);
          conv.kernel = {1, 1, 7};
          expect_reference(conv);
          conv.outputs = 3;
          expect_separable_reference(conv);
          conv.outputs = 0;
        }
      }
    }
  }
}

TEST_P(DepthwiseCpu, EveryWidthUpToSeveralVectors) {
  ConvCase conv;
  for (std::int64_t width = 1; width <= 70; ++width) {
    conv.x = {1, 1, 2, 7, width};
    expect_reference(conv);
  }
}

TEST_P(DepthwiseCpu, EveryNumberOfChannelsLast) {
  ConvCase conv;
  conv.attributes.data_layout = DataLayout::kNTHWC;
  conv.residual = true;
  for (std::int64_t channels = 1; channels <= 35; ++channels) {
    conv.x = {1, channels, 2, 3, 9};
    expect_reference(conv);
  }
}

// A filter of one tap with the weight one is a conversion to fp32 and back.
TEST_P(DepthwiseCpu, EveryHalfComesThroughAsItWas) {
  for (const ElementType type : {ElementType::kFloat16, ElementType::kBFloat16}) {
    ConvCase conv;
    conv.type = type;
    conv.x = {1, 1, 1, 256, 256};
    conv.kernel = {1, 1, 1};
    conv.bias = false;
    const DepthwiseConv3dProblem problem = make_problem(conv);
    ConvTensors tensors = make_tensors(conv);
    auto* halves = reinterpret_cast<std::uint16_t*>(tensors.x.data());
    for (std::uint32_t bits = 0; bits < 0x10000; ++bits) halves[bits] = static_cast<std::uint16_t>(bits);
    tensors.weight = from_floats(type, {1});
    run(problem, views(conv, tensors), sequential(), GetParam());
    const std::vector<float> before = to_floats(type, tensors.x);
    const std::vector<float> after = to_floats(type, tensors.y);
    for (std::size_t i = 0; i < before.size(); ++i) {
      ASSERT_TRUE(before[i] == after[i] || (std::isnan(before[i]) && std::isnan(after[i]))) << i << " " << after[i];
    }
  }
}

// The results are the same whoever computes them, so that frames do not depend on the number of threads.
TEST_P(DepthwiseCpu, ThreadsDoNotChangeABit) {
  for (const ConvCase& conv : depthwise_cases()) {
    if (conv.x.elements() < 2000) continue;
    const DepthwiseConv3dProblem problem = make_problem(conv);
    ConvTensors one = make_tensors(conv);
    ConvTensors several = one;
    run(problem, views(conv, one), sequential(), GetParam());
    run(problem, views(conv, several), threads(3), GetParam());
    EXPECT_EQ(one.y, several.y) << to_string(conv);
  }
}

INSTANTIATE_TEST_SUITE_P(Isas, DepthwiseCpu, ::testing::ValuesIn(kIsasOfTheArchitecture),
                         [](const auto& isa) { return std::string(to_string(isa.param)); });

}  // namespace
}  // namespace vidrt::kernels::testing
