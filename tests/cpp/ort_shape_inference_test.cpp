// The shapes of the operators' results, worked out from numbers and names.
#include <gtest/gtest.h>

#include "kernels/depthwise_conv3d.h"
#include "onnxruntime/custom_ops/shape_inference.h"

namespace vidrt::custom_ops {
namespace {

using kernels::DepthwiseConv3dAttributes;
using kernels::SpatialPadding;
using kernels::TemporalPadding;

SymbolicShape shape(const std::vector<std::string>& sizes) {
  SymbolicShape result;
  for (const std::string& size : sizes) {
    const bool number = !size.empty() && size.find_first_not_of("0123456789") == std::string::npos;
    result.push_back(number ? Dimension{std::stoll(size), ""} : Dimension{-1, size == "?" ? "" : size});
  }
  return result;
}

std::string text(const std::optional<SymbolicShape>& shape) {
  if (!shape) return "unknown";
  std::string result;
  for (const Dimension& dimension : *shape) {
    result +=
        (result.empty() ? "" : ", ") + (dimension.is_number() ? std::to_string(dimension.value) : dimension.symbol);
  }
  return result;
}

std::string infer(const DepthwiseConv3dAttributes& attributes, const std::vector<std::string>& x,
                  const std::vector<std::string>& weight = {"8", "1", "3", "3", "3"}) {
  return text(infer_shape(attributes, shape(x), shape(weight), nullptr));
}

DepthwiseConv3dAttributes causal() {
  DepthwiseConv3dAttributes attributes;
  attributes.temporal_padding = TemporalPadding::kCausal;
  return attributes;
}

TEST(ShapeInference, NamesStayWhereSizesDo) {
  EXPECT_EQ(infer(causal(), {"N", "8", "T", "h", "w"}), "N, 8, T, h, w");
  EXPECT_EQ(infer({}, {"N", "8", "T", "h", "w"}), "N, 8, T, h, w");
}

TEST(ShapeInference, AStrideMakesAnExpressionOfTheName) {
  DepthwiseConv3dAttributes attributes = causal();
  attributes.strides = {2, 1, 3};
  EXPECT_EQ(infer(attributes, {"1", "8", "T", "h", "w*8"}), "1, 8, floor((T - 1)/2) + 1, h, floor(((w*8) - 1)/3) + 1");
}

TEST(ShapeInference, ValidPaddingLosesTheReachOfTheFilter) {
  DepthwiseConv3dAttributes attributes;
  attributes.temporal_padding = TemporalPadding::kValid;
  attributes.spatial_padding = SpatialPadding::kValid;
  attributes.dilations = {1, 2, 1};
  attributes.strides = {1, 1, 2};
  EXPECT_EQ(infer(attributes, {"1", "8", "T", "h", "w"}), "1, 8, T - 2, h - 4, floor((w - 3)/2) + 1");
  EXPECT_EQ(infer(attributes, {"1", "8", "3", "5", "8"}), "1, 8, 1, 1, 3");
  EXPECT_EQ(infer(attributes, {"1", "8", "2", "5", "8"}), "unknown") << "too short for the filter";
}

TEST(ShapeInference, ChannelsComeFromTheFilterWhereXDoesNotTell) {
  EXPECT_EQ(infer({}, {"N", "C", "T", "h", "w"}), "N, 8, T, h, w");
  EXPECT_EQ(infer({}, {"N", "?", "T", "h", "w"}), "N, 8, T, h, w");
}

TEST(ShapeInference, ASizeWithoutNumberOrNameLeavesTheShapeUnknown) {
  EXPECT_EQ(infer({}, {"N", "8", "T", "?", "w"}), "unknown");
  EXPECT_EQ(infer({}, {}), "unknown");
  EXPECT_EQ(infer({}, {"N", "8", "T", "w"}), "unknown");
}

TEST(ShapeInference, AnUnknownFilterStillTellsWhatPaddingKeeps) {
  EXPECT_EQ(infer(causal(), {"N", "8", "T", "h", "w"}, {}), "N, 8, T, h, w");
}

TEST(ShapeInference, TheLayoutSaysWhichSizeIsWhich) {
  DepthwiseConv3dAttributes attributes = causal();
  attributes.data_layout = kernels::DataLayout::kNTHWC;
  const SymbolicShape pointwise = shape({"5", "8"});
  EXPECT_EQ(
      text(infer_shape(attributes, shape({"N", "T", "h", "w", "8"}), shape({"8", "1", "3", "3", "3"}), &pointwise)),
      "N, T, h, w, 5");
}

TEST(ShapeInference, WrongSizesGiveNoShape) {
  DepthwiseConv3dAttributes attributes = causal();
  attributes.strides = {0, 1, 1};
  EXPECT_EQ(infer(attributes, {"1", "8", "4", "4", "4"}), "unknown");
  EXPECT_EQ(infer(causal(), {"1", "8", "0", "4", "4"}), "unknown");
}

}  // namespace
}  // namespace vidrt::custom_ops
