// Sizes and attributes that do not fit are refused by name, before anything is computed.
#include <gtest/gtest.h>

#include <functional>
#include <stdexcept>
#include <string>

#include "kernels/depthwise_conv3d.h"
#include "kernels/depthwise_separable_conv3d.h"

namespace vidrt::kernels {
namespace {

struct Request {
  DepthwiseConv3dAttributes attributes;
  DepthwiseSeparableConv3dInputs inputs;

  Request() {
    attributes.temporal_padding = TemporalPadding::kCausal;
    inputs.depthwise.x = {1, 4, 3, 8, 8};
    inputs.depthwise.weight = {4, 1, 3, 3, 3};
    inputs.pointwise = {6, 4};
  }
  DepthwiseConv3dInputs& depthwise() { return inputs.depthwise; }
};

std::string refusal(const Request& request) {
  try {
    make_depthwise_separable_conv3d_problem(request.attributes, Activation::kNone, ElementType::kFloat32,
                                            request.inputs);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "accepted";
}

struct Fault {
  const char* name;
  std::function<void(Request&)> plant;
  const char* message;  // a part of it
};

class Faults : public ::testing::TestWithParam<Fault> {};

TEST_P(Faults, IsRefusedByName) {
  Request request;
  ASSERT_EQ(refusal(request), "accepted");
  GetParam().plant(request);
  EXPECT_NE(refusal(request).find(GetParam().message), std::string::npos) << refusal(request);
}

const Fault kFaults[] = {
    {"ZeroSize", [](Request& r) { r.depthwise().x[3] = 0; },
     "X: got the shape (1,4,3,0,8), expected sizes of at least 1"},
    {"NegativeSize", [](Request& r) { r.depthwise().x[2] = -3; }, "X: got the shape (1,4,-3,8,8)"},
    {"Overflow",
     [](Request& r) {
       r.depthwise().x = {1 << 30, 4, 1 << 30, 1 << 20, 8};
     },
     "more elements than can be"},
    {"ChannelsOfW", [](Request& r) { r.depthwise().weight[0] = 5; },
     "W: got the shape (5,1,3,3,3), expected (C,1,kT,kH,kW) with C = 4"},
    {"Multiplier", [](Request& r) { r.depthwise().weight[1] = 2; }, "W: got the shape (4,2,3,3,3)"},
    {"LargeKernel", [](Request& r) { r.depthwise().weight[4] = 9; }, "expected at most 7 taps"},
    {"EvenKernelWithSame", [](Request& r) { r.depthwise().weight[3] = 2; },
     "W: got 2 taps along height, expected an odd number"},
    {"EvenTimeKernelWithSame",
     [](Request& r) {
       r.attributes.temporal_padding = TemporalPadding::kSame;
       r.depthwise().weight[2] = 4;
     },
     "W: got 4 taps along time, expected an odd number"},
    {"LengthOfB", [](Request& r) { r.depthwise().bias = 3; }, "B: got 3 values, expected 4"},
    {"Stride", [](Request& r) { r.attributes.strides[1] = 0; }, "attribute strides: got 0 along height"},
    {"Dilation", [](Request& r) { r.attributes.dilations[2] = 1 << 20; },
     "attribute dilations: got 1048576 along width"},
    {"ShorterThanTheFilter",
     [](Request& r) {
       r.attributes.spatial_padding = SpatialPadding::kValid;
       r.depthwise().x[4] = 2;
     },
     "X: got 2 positions along width, expected at least 3 with padding 'valid'"},
    {"LengthOfTheCache",
     [](Request& r) {
       r.depthwise().cache_in = {1, 4, 1, 8, 8};
     },
     "cache_in: got the shape (1,4,1,8,8), expected (1,4,2,8,8): the 2 frames before X"},
    {"CacheWithoutCausal",
     [](Request& r) {
       r.attributes.temporal_padding = TemporalPadding::kSame;
       r.depthwise().wants_cache_out = true;
     },
     "cache: got temporal_padding 'same', expected 'causal'"},
    {"CacheOfOneTap",
     [](Request& r) {
       r.depthwise().weight[2] = 1;
       r.depthwise().wants_cache_out = true;
     },
     "cache: got a filter of one tap along time"},
    {"ChannelsOfPW",
     [](Request& r) {
       r.inputs.pointwise = {6, 5};
     },
     "PW: got the shape (6,5), expected (O,C) with C = 4"},
    {"NoOutputs",
     [](Request& r) {
       r.inputs.pointwise = {0, 4};
     },
     "PW: got the shape (0,4)"},
    {"LengthOfPB", [](Request& r) { r.inputs.pointwise_bias = 4; }, "PB: got 4 values, expected 6"},
    {"Residual",
     [](Request& r) {
       r.depthwise().residual = {1, 4, 3, 8, 8};
     },
     "residual: got the shape (1,4,3,8,8), expected (1,6,3,8,8), as the result"},
};

INSTANTIATE_TEST_SUITE_P(Problem, Faults, ::testing::ValuesIn(kFaults),
                         [](const auto& fault) { return std::string(fault.param.name); });

TEST(Problem, ResidualOfTheDepthwiseOperatorHasItsShape) {
  Request request;
  request.depthwise().residual = {1, 4, 3, 8, 7};
  EXPECT_THROW(make_depthwise_conv3d_problem(request.attributes, ElementType::kFloat32, request.depthwise()),
               std::invalid_argument);
}

TEST(Problem, ChannelsLastShapesAreReadInTheirOrder) {
  Request request;
  request.attributes.data_layout = DataLayout::kNTHWC;
  request.depthwise().x = {1, 3, 8, 8, 4};
  request.depthwise().cache_in = {1, 2, 8, 8, 4};
  EXPECT_EQ(refusal(request), "accepted");
}

TEST(Problem, MoreThanTwoToThe31ElementsAreFine) {
  Request request;
  request.depthwise().x = {1, 4, 1 << 10, 1 << 11, 1 << 11};
  EXPECT_EQ(refusal(request), "accepted");
}

TEST(Problem, WordsOfAttributes) {
  EXPECT_EQ(parse_temporal_padding("causal"), TemporalPadding::kCausal);
  EXPECT_EQ(parse_activation("activation", "gelu_tanh"), Activation::kGeluTanh);
  EXPECT_EQ(parse_data_layout("NTHWC"), DataLayout::kNTHWC);
  try {
    parse_activation("output_activation", "swish");
    FAIL() << "accepted";
  } catch (const std::invalid_argument& error) {
    EXPECT_STREQ(error.what(),
                 "attribute output_activation: got 'swish', expected one of none, relu, silu, gelu, gelu_tanh.");
  }
}

}  // namespace
}  // namespace vidrt::kernels
