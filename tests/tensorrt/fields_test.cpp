// From plugin fields to a spec and back.
#include <gtest/gtest.h>

#include "../cpp/support/throws.h"
#include "support/fields.h"
#include "tensorrt/plugins/plugin_fields.h"

namespace vidrt::trt::testing {
namespace {

using kernels::Activation;
using vidrt::testing::message_of;
using vidrt::testing::names;

ConvSpec read(ConvOperator op, const Fields& fields) { return read_fields(op, fields.collection()); }

std::string refusal(const Fields& fields, ConvOperator op = ConvOperator::kDepthwise) {
  return message_of<std::invalid_argument>([&] { read(op, fields); });
}

Fields every_field() {
  Fields fields;
  fields.numbers("strides", {1, 2, 3}).numbers("dilations", {4, 1, 2});
  fields.word("temporal_padding", "causal").word("temporal_pad_mode", "replicate");
  fields.word("spatial_padding", "valid").word("spatial_pad_mode", "replicate");
  fields.word("activation", "silu").word("output_activation", "gelu_tanh").word("data_layout", "NTHWC");
  fields.flag("has_bias").flag("has_pointwise_bias").flag("has_residual").flag("has_cache_in").flag("has_cache_out");
  return fields;
}

TEST(PluginFields, AnOperatorWithoutFieldsHasTheDefaults) {
  const ConvSpec spec = read(ConvOperator::kDepthwise, Fields());
  EXPECT_EQ(describe(spec),
            "strides=1,1,1 dilations=1,1,1 temporal_padding=same temporal_pad_mode=zeros spatial_padding=same "
            "spatial_pad_mode=zeros activation=none data_layout=NCTHW has_bias=0 has_residual=0 has_cache_in=0 "
            "has_cache_out=0");
  EXPECT_EQ(list_inputs(spec), "X, W");
}

TEST(PluginFields, EveryFieldReachesTheSpec) {
  const ConvSpec spec = read(ConvOperator::kDepthwiseSeparable, every_field());
  EXPECT_EQ(spec.attributes.strides, (std::array<std::int64_t, 3>{1, 2, 3}));
  EXPECT_EQ(spec.attributes.dilations, (std::array<std::int64_t, 3>{4, 1, 2}));
  EXPECT_EQ(spec.attributes.temporal_padding, kernels::TemporalPadding::kCausal);
  EXPECT_EQ(spec.attributes.temporal_pad_mode, kernels::PadMode::kReplicate);
  EXPECT_EQ(spec.attributes.spatial_padding, kernels::SpatialPadding::kValid);
  EXPECT_EQ(spec.attributes.spatial_pad_mode, kernels::PadMode::kReplicate);
  EXPECT_EQ(spec.attributes.activation, Activation::kSilu);
  EXPECT_EQ(spec.output_activation, Activation::kGeluTanh);
  EXPECT_EQ(spec.attributes.data_layout, kernels::DataLayout::kNTHWC);
  EXPECT_EQ(list_inputs(spec), "X, W, B, PW, PB, residual, cache_in");
  EXPECT_EQ(spec.outputs(), 2);
}

TEST(PluginFields, WhatAnEngineKeepsMakesTheSameSpec) {
  for (const ConvOperator op : {ConvOperator::kDepthwise, ConvOperator::kDepthwiseSeparable}) {
    const ConvSpec spec = op == ConvOperator::kDepthwiseSeparable
                              ? read(op, every_field())
                              : read(op, Fields().numbers("dilations", {2, 1, 1}).word("activation", "gelu"));
    const SerializedFields kept(spec);
    EXPECT_EQ(describe(read_fields(op, kept.collection())), describe(spec));
    EXPECT_EQ(static_cast<std::size_t>(kept.collection().nbFields), field_names(op).size());
  }
}

TEST(PluginFields, AWordMayEndWithOrWithoutAZero) {
  Fields fields;
  fields.raw({"activation", "relu and more", nvinfer1::PluginFieldType::kCHAR, 4});
  EXPECT_EQ(read(ConvOperator::kDepthwise, fields).attributes.activation, Activation::kRelu);
}

TEST(PluginFields, OnlyTheSeparableOperatorHasFieldsOfThePointwisePart) {
  EXPECT_TRUE(
      names(refusal(Fields().word("output_activation", "relu")), {"output_activation", "not known", "has_bias"}));
  EXPECT_TRUE(names(refusal(Fields().flag("has_pointwise_bias")), {"has_pointwise_bias", "not known"}));
  EXPECT_EQ(field_names(ConvOperator::kDepthwiseSeparable).size(), field_names(ConvOperator::kDepthwise).size() + 2);
}

TEST(PluginFields, RefusesWhatIsNotAField) {
  EXPECT_TRUE(names(refusal(Fields().numbers("stride", {1, 1, 1})), {"field 'stride'", "expected one of strides"}));
  EXPECT_TRUE(names(refusal(Fields().raw({nullptr, "", nvinfer1::PluginFieldType::kCHAR, 1})), {"field ''"}));
  EXPECT_TRUE(names(refusal(Fields().flag("has_bias").flag("has_bias", 0)), {"has_bias", "given twice"}));
}

TEST(PluginFields, RefusesValuesOfAnotherTypeOrLength) {
  EXPECT_TRUE(names(refusal(Fields().word("strides", "1,1,1")), {"strides", "type 6", "expected int32"}));
  EXPECT_TRUE(names(refusal(Fields().numbers("activation", {1})), {"activation", "type 5", "expected characters"}));
  EXPECT_TRUE(names(refusal(Fields().numbers("strides", {1, 1})), {"strides", "got 2 numbers", "expected 3"}));
  using nvinfer1::PluginFieldType;
  EXPECT_TRUE(names(refusal(Fields().raw({"strides", nullptr, PluginFieldType::kINT32, 3})), {"strides", "no value"}));
  EXPECT_TRUE(
      names(refusal(Fields().raw({"activation", "relu", PluginFieldType::kCHAR, -1})), {"activation", "no value"}));
}

TEST(PluginFields, RefusesValuesThatAreNoneOfTheValues) {
  EXPECT_TRUE(names(refusal(Fields().word("temporal_padding", "full")), {"temporal_padding", "'full'", "causal"}));
  EXPECT_TRUE(names(refusal(Fields().word("data_layout", "NCHW")), {"data_layout", "'NCHW'", "NCTHW, NTHWC"}));
  EXPECT_TRUE(names(refusal(Fields().flag("has_bias", 2)), {"has_bias", "got 2", "0 or 1"}));
  EXPECT_TRUE(names(refusal(Fields().numbers("strides", {1, 0, 1})), {"strides", "got 0 along height"}));
  EXPECT_TRUE(names(refusal(Fields().numbers("dilations", {-1, 1, 1})), {"dilations", "got -1 along time"}));
}

TEST(PluginFields, RefusesACacheWithoutCausalPadding) {
  EXPECT_TRUE(names(refusal(Fields().flag("has_cache_in")), {"has_cache_in", "'same'", "'causal'"}));
  EXPECT_TRUE(
      names(refusal(Fields().flag("has_cache_out").word("temporal_padding", "valid")), {"'valid'", "'causal'"}));
}

}  // namespace
}  // namespace vidrt::trt::testing
