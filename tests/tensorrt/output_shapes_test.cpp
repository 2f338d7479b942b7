// Shapes of the outputs as expressions, against the sizes that the kernels work out.
#include <gtest/gtest.h>

#include <random>

#include "../cpp/support/throws.h"
#include "kernels/depthwise_separable_conv3d.h"
#include "support/symbolic_shapes.h"
#include "tensorrt/plugins/output_shapes.h"

namespace vidrt::trt::testing {
namespace {

using kernels::ClipShape;
using kernels::DataLayout;
using kernels::SpatialPadding;
using kernels::TemporalPadding;
using Names = std::vector<std::string>;
using Values = std::vector<std::int64_t>;
using vidrt::testing::message_of;
using vidrt::testing::names;

struct Shapes {
  SymbolicShapes symbols;
  std::vector<nvinfer1::DimsExprs> inputs;
  nvinfer1::DimsExprs outputs[2]{};

  Shapes(const ConvSpec& spec, const std::vector<Names>& shapes) {
    for (const Names& shape : shapes) inputs.push_back(symbols.dims(shape));
    write_output_shapes(spec, inputs.data(), outputs, symbols);
  }
  Values y(const Sizes& sizes) const { return SymbolicShapes::compute(outputs[0], sizes); }
  Values cache_out(const Sizes& sizes) const { return SymbolicShapes::compute(outputs[1], sizes); }
};

std::string refusal(const ConvSpec& spec, const std::vector<Names>& shapes) {
  return message_of<std::invalid_argument>([&] { Shapes(spec, shapes); });
}

Values dims_of(const ClipShape& shape, DataLayout layout) {
  const auto dims = shape.dims(layout);
  return {dims.begin(), dims.end()};
}

// Every way to pad, 500 random filters and sizes: the expression, computed, is what the kernels say.
TEST(OutputShapes, AgreeWithTheKernelsForAllPaddingsStridesAndDilations) {
  std::mt19937 random(5);
  const auto pick = [&](int low, int high) { return std::uniform_int_distribution<std::int64_t>(low, high)(random); };
  for (int round = 0; round < 500; ++round) {
    ConvSpec spec;
    spec.op = round % 2 == 0 ? ConvOperator::kDepthwise : ConvOperator::kDepthwiseSeparable;
    auto& attributes = spec.attributes;
    attributes.temporal_padding = static_cast<TemporalPadding>(pick(0, 2));
    attributes.spatial_padding = static_cast<SpatialPadding>(pick(0, 1));
    attributes.data_layout = static_cast<DataLayout>(pick(0, 1));
    for (auto& stride : attributes.strides) stride = pick(1, 3);
    for (auto& dilation : attributes.dilations) dilation = pick(1, 2);
    const std::array<std::int64_t, 3> kernel{2 * pick(0, 3) + 1, 2 * pick(0, 3) + 1, 2 * pick(0, 3) + 1};
    spec.has_cache_out = attributes.temporal_padding == TemporalPadding::kCausal && kernel[0] > 1;
    const Sizes sizes{{"N", pick(1, 3)}, {"T", pick(13, 40)}, {"H", pick(13, 40)}, {"W", pick(13, 40)}};

    kernels::DepthwiseConv3dInputs inputs;
    inputs.x = ClipShape{sizes.at("N"), 4, sizes.at("T"), sizes.at("H"), sizes.at("W")}.dims(attributes.data_layout);
    inputs.weight = {4, 1, kernel[0], kernel[1], kernel[2]};
    const auto problem = kernels::make_depthwise_conv3d_problem(attributes, kernels::ElementType::kFloat32, inputs);
    ClipShape y = problem.y;

    const bool last = attributes.data_layout == DataLayout::kNTHWC;
    std::vector<Names> shapes{
        last ? Names{"N", "T", "H", "W", "4"} : Names{"N", "4", "T", "H", "W"},
        {"4", "1", std::to_string(kernel[0]), std::to_string(kernel[1]), std::to_string(kernel[2])}};
    if (spec.separable()) {
      shapes.push_back({"6", "4"});
      y.c = 6;
    }
    const Shapes found(spec, shapes);
    ASSERT_EQ(found.y(sizes), dims_of(y, attributes.data_layout)) << round;
    if (spec.has_cache_out) {
      ASSERT_EQ(found.cache_out(sizes), dims_of(problem.cache(), attributes.data_layout)) << round;
    }
  }
}

TEST(OutputShapes, APaddedSizeOfStrideOneIsTheInputsOwn) {
  ConvSpec spec;
  const Shapes same(spec, {{"N", "8", "T", "H", "W"}, {"8", "1", "3", "5", "7"}});
  for (int i = 0; i < 5; ++i) EXPECT_EQ(same.outputs[0].d[i], same.inputs[0].d[i]) << i;
  spec.attributes.temporal_padding = TemporalPadding::kCausal;
  const Shapes causal(spec, {{"N", "8", "T", "H", "W"}, {"8", "1", "2", "3", "3"}});
  EXPECT_EQ(causal.outputs[0].d[2], causal.inputs[0].d[2]);
}

TEST(OutputShapes, ChannelsComeFromThePointwiseFilter) {
  ConvSpec spec;
  spec.op = ConvOperator::kDepthwiseSeparable;
  spec.has_pointwise_bias = spec.has_residual = true;
  const Shapes found(
      spec, {{"1", "8", "T", "6", "5"}, {"8", "1", "3", "3", "3"}, {"12", "8"}, {"12"}, {"1", "12", "T", "6", "5"}});
  EXPECT_EQ(found.y({{"T", 9}}), (Values{1, 12, 9, 6, 5}));
}

TEST(OutputShapes, RefusesWhatIsKnownNotToFit) {
  ConvSpec spec;
  const Names x{"N", "8", "T", "H", "W"};
  EXPECT_TRUE(names(refusal(spec, {x, {"4", "1", "3", "3", "3"}}), {"W", "(4,1,3,3,3)", "C = 8"}));
  EXPECT_TRUE(names(refusal(spec, {x, {"8", "1", "9", "3", "3"}}), {"W", "at most 7 taps"}));
  EXPECT_TRUE(names(refusal(spec, {x, {"8", "1", "2", "3", "3"}}), {"W", "2 taps along time", "odd"}));
  EXPECT_TRUE(names(refusal(spec, {x, {"8", "1", "k", "3", "3"}}), {"W", "not known", "constant"}));
  EXPECT_TRUE(names(refusal(spec, {x, {"8", "3", "3", "3"}}), {"W", "got 4 dimensions", "expected 5"}));
  EXPECT_TRUE(names(refusal(spec, {{"8", "T", "H", "W"}, {"8", "1", "3", "3", "3"}}), {"X", "got 4", "expected 5"}));
  spec.attributes.temporal_padding = TemporalPadding::kValid;
  EXPECT_TRUE(names(refusal(spec, {{"N", "8", "2", "H", "W"}, {"8", "1", "3", "3", "3"}}),
                    {"X", "2 positions along time", "at least 3"}));
}

TEST(OutputShapes, RefusesOptionalInputsThatAreKnownNotToFit) {
  const Names x{"N", "8", "T", "6", "W"};
  const Names weight{"8", "1", "3", "3", "3"};
  ConvSpec spec;
  spec.has_bias = true;
  EXPECT_TRUE(names(refusal(spec, {x, weight, {"7"}}), {"B", "got 7", "expected 8"}));
  spec.has_bias = false;
  spec.has_residual = true;
  EXPECT_TRUE(
      names(refusal(spec, {x, weight, {"N", "8", "T", "5", "W"}}), {"residual", "got 5 along height", "expected 6"}));
  spec.has_residual = false;
  spec.has_cache_in = true;
  spec.attributes.temporal_padding = TemporalPadding::kCausal;
  EXPECT_TRUE(
      names(refusal(spec, {x, weight, {"N", "8", "3", "6", "W"}}), {"cache_in", "got 3 along time", "expected 2"}));
  EXPECT_TRUE(names(refusal(spec, {x, {"8", "1", "1", "3", "3"}, {"N", "8", "2", "6", "W"}}), {"cache", "one tap"}));
  spec.has_cache_in = false;
  spec.op = ConvOperator::kDepthwiseSeparable;
  EXPECT_TRUE(names(refusal(spec, {x, weight, {"12", "7"}}), {"PW", "(12,7)", "C = 8"}));
  spec.has_pointwise_bias = true;
  EXPECT_TRUE(names(refusal(spec, {x, weight, {"12", "8"}, {"8"}}), {"PB", "got 8", "expected 12"}));
}

}  // namespace
}  // namespace vidrt::trt::testing
