// Types, formats and memory layouts.
#include <gtest/gtest.h>

#include "../cpp/support/throws.h"
#include "support/descs.h"
#include "tensorrt/plugins/plugin_tensors.h"

namespace vidrt::trt::testing {
namespace {

using kernels::DataLayout;
using nvinfer1::DataType;
using nvinfer1::DynamicPluginTensorDesc;
using nvinfer1::TensorFormat;
using vidrt::testing::message_of;
using vidrt::testing::names;

constexpr DataType kTypes[] = {DataType::kFLOAT, DataType::kHALF, DataType::kBF16, DataType::kINT8, DataType::kINT32};
constexpr TensorFormat kFormats[] = {
    TensorFormat::kLINEAR, TensorFormat::kCHW2,  TensorFormat::kHWC8,   TensorFormat::kCHW4, TensorFormat::kCHW16,
    TensorFormat::kCHW32,  TensorFormat::kDHWC8, TensorFormat::kCDHW32, TensorFormat::kHWC,  TensorFormat::kDHWC};

DynamicPluginTensorDesc dynamic(const Tensor& tensor) {
  DynamicPluginTensorDesc desc{};
  desc.desc = tensor.desc();
  return desc;
}

// All (type, format) that tensor `pos` may have, when those before it are as they are.
std::vector<std::pair<DataType, TensorFormat>> choices(const ConvSpec& spec,
                                                       std::vector<DynamicPluginTensorDesc> tensors, std::int32_t pos) {
  std::vector<std::pair<DataType, TensorFormat>> found;
  for (const DataType type : kTypes) {
    for (const TensorFormat format : kFormats) {
      auto& desc = tensors[static_cast<std::size_t>(pos)].desc;
      desc.type = type;
      desc.format = format;
      if (supports_format(spec, pos, tensors.data())) found.emplace_back(type, format);
    }
  }
  return found;
}

using Choices = std::vector<std::pair<DataType, TensorFormat>>;

ConvSpec separable_with_all() {
  ConvSpec spec;
  spec.op = ConvOperator::kDepthwiseSeparable;
  spec.attributes.temporal_padding = kernels::TemporalPadding::kCausal;
  spec.has_bias = spec.has_pointwise_bias = spec.has_residual = spec.has_cache_in = spec.has_cache_out = true;
  return spec;
}

// X, W, B, PW, PB, residual, cache_in, Y, cache_out of that operator with 16 channels in and `outputs` out.
std::vector<DynamicPluginTensorDesc> tensors_with_all(DataType type, TensorFormat format, std::int64_t outputs) {
  const auto linear = TensorFormat::kLINEAR;
  return {dynamic({{1, 16, -1, 6, 6}, type, format}),
          dynamic({{16, 1, 3, 3, 3}, type, linear}),
          dynamic({{16}, type, linear}),
          dynamic({{outputs, 16}, type, linear}),
          dynamic({{outputs}, type, linear}),
          dynamic({{1, outputs, -1, 6, 6}, type, format}),
          dynamic({{1, 16, 2, 6, 6}, type, format}),
          dynamic({{1, outputs, -1, 6, 6}, type, format}),
          dynamic({{1, 16, 2, 6, 6}, type, format})};
}

TEST(Formats, XIsLinearOrChannelsLastInThreeTypes) {
  EXPECT_EQ(choices({}, {dynamic({{1, 16, -1, 6, 6}})}, 0), (Choices{{DataType::kFLOAT, TensorFormat::kLINEAR},
                                                                     {DataType::kFLOAT, TensorFormat::kDHWC},
                                                                     {DataType::kHALF, TensorFormat::kLINEAR},
                                                                     {DataType::kHALF, TensorFormat::kDHWC8},
                                                                     {DataType::kBF16, TensorFormat::kLINEAR},
                                                                     {DataType::kBF16, TensorFormat::kDHWC8}}));
}

TEST(Formats, ChannelsThatDoNotFillVectorsOfEightAreLinearInHalf) {
  for (const std::int64_t channels : {12, 1, -1}) {
    EXPECT_EQ(choices({}, {dynamic({{1, channels, 4, 6, 6}})}, 0), (Choices{{DataType::kFLOAT, TensorFormat::kLINEAR},
                                                                            {DataType::kFLOAT, TensorFormat::kDHWC},
                                                                            {DataType::kHALF, TensorFormat::kLINEAR},
                                                                            {DataType::kBF16, TensorFormat::kLINEAR}}))
        << channels;
  }
}

TEST(Formats, ALayoutWithChannelsLastIsLinearOnly) {
  ConvSpec spec;
  spec.attributes.data_layout = DataLayout::kNTHWC;
  EXPECT_EQ(choices(spec, {dynamic({{1, 4, 6, 6, 16}})}, 0), (Choices{{DataType::kFLOAT, TensorFormat::kLINEAR},
                                                                      {DataType::kHALF, TensorFormat::kLINEAR},
                                                                      {DataType::kBF16, TensorFormat::kLINEAR}}));
}

TEST(Formats, ClipsShareTheFormatOfXAndWeightsAreLinear) {
  const ConvSpec spec = separable_with_all();
  const Choices of_x = choices(spec, tensors_with_all(DataType::kFLOAT, TensorFormat::kLINEAR, 24), 0);
  ASSERT_EQ(of_x.size(), 6u);
  for (const auto& [type, format] : of_x) {
    const auto tensors = tensors_with_all(type, format, 24);
    for (std::int32_t pos = 1; pos < 9; ++pos) {
      const bool weights = pos >= 1 && pos <= 4;
      EXPECT_EQ(choices(spec, tensors, pos), (Choices{{type, weights ? TensorFormat::kLINEAR : format}})) << pos;
    }
  }
}

TEST(Formats, ResultsThatDoNotFillVectorsOfEightAreNotChannelsLastInHalf) {
  const ConvSpec spec = separable_with_all();
  const auto tensors = tensors_with_all(DataType::kHALF, TensorFormat::kDHWC8, 20);
  EXPECT_TRUE(choices(spec, tensors, 5).empty());
  EXPECT_TRUE(choices(spec, tensors, 7).empty());
  EXPECT_EQ(choices(spec, tensors_with_all(DataType::kFLOAT, TensorFormat::kDHWC, 20), 7),
            (Choices{{DataType::kFLOAT, TensorFormat::kDHWC}}));
}

TEST(Problems, MemoryIsChannelsLastWhereTheFormatOrTheLayoutSaysSo) {
  ConvSpec spec;
  const auto layout_of = [&](const Tensor& x) {
    const nvinfer1::PluginTensorDesc inputs[] = {x.desc(), Tensor{{16, 1, 3, 3, 3}, x.type}.desc()};
    const auto problem = make_problem(spec, inputs);
    EXPECT_EQ(problem.depthwise.x, (kernels::ClipShape{2, 16, 5, 6, 7}));
    EXPECT_EQ(problem.y, (kernels::ClipShape{2, 16, 5, 6, 7}));
    return problem.depthwise.attributes.data_layout;
  };
  EXPECT_EQ(layout_of({{2, 16, 5, 6, 7}}), DataLayout::kNCTHW);
  EXPECT_EQ(layout_of({{2, 16, 5, 6, 7}, DataType::kFLOAT, TensorFormat::kDHWC}), DataLayout::kNTHWC);
  EXPECT_EQ(layout_of({{2, 16, 5, 6, 7}, DataType::kBF16, TensorFormat::kDHWC8}), DataLayout::kNTHWC);
  spec.attributes.data_layout = DataLayout::kNTHWC;
  EXPECT_EQ(layout_of({{2, 5, 6, 7, 16}}), DataLayout::kNTHWC);
}

TEST(Problems, EveryInputIsReadFromItsPlace) {
  const ConvSpec spec = separable_with_all();
  std::vector<nvinfer1::PluginTensorDesc> inputs;
  for (const auto& tensor : tensors_with_all(DataType::kHALF, TensorFormat::kDHWC8, 24)) inputs.push_back(tensor.desc);
  inputs[0].dims.d[2] = inputs[5].dims.d[2] = 4;
  const auto problem = make_problem(spec, inputs.data());
  EXPECT_EQ(problem.depthwise.type, kernels::ElementType::kFloat16);
  EXPECT_EQ(problem.depthwise.cache_frames, 2);
  EXPECT_EQ(problem.y, (kernels::ClipShape{1, 24, 4, 6, 6}));
  const std::pair<std::size_t, const char*> wrong[] = {{1, "W"},  {2, "B"},        {3, "PW"},
                                                       {4, "PB"}, {5, "residual"}, {6, "cache_in"}};
  for (const auto& [index, name] : wrong) {
    auto changed = inputs;
    ++changed[index].dims.d[changed[index].dims.nbDims - 1];
    const std::string message = message_of<std::invalid_argument>([&] { make_problem(spec, changed.data()); });
    EXPECT_EQ(message.rfind(std::string(name) + ":", 0), 0u) << message;
    auto typed = inputs;
    typed[index].type = DataType::kFLOAT;
    EXPECT_TRUE(names(message_of<std::invalid_argument>([&] { make_problem(spec, typed.data()); }),
                      {name, "data type 0", "expected 1", "as X"}));
  }
}

TEST(Problems, PointersGoWhereTheirNamesSay) {
  const char memory[9]{};
  const void* inputs[7];
  for (std::size_t i = 0; i < 7; ++i) inputs[i] = memory + i;
  char y = 0, cache = 0;
  void* outputs[] = {&y, &cache};
  const auto all = gather_tensors(separable_with_all(), inputs, outputs);
  EXPECT_EQ(all.depthwise.x, memory + 0);
  EXPECT_EQ(all.depthwise.weight, memory + 1);
  EXPECT_EQ(all.depthwise.bias, memory + 2);
  EXPECT_EQ(all.pointwise, memory + 3);
  EXPECT_EQ(all.pointwise_bias, memory + 4);
  EXPECT_EQ(all.depthwise.residual, memory + 5);
  EXPECT_EQ(all.depthwise.cache_in, memory + 6);
  EXPECT_EQ(all.depthwise.y, &y);
  EXPECT_EQ(all.depthwise.cache_out, &cache);
  ConvSpec few;
  few.has_residual = true;
  const auto some = gather_tensors(few, inputs, outputs);
  EXPECT_EQ(some.depthwise.residual, memory + 2);
  EXPECT_EQ(some.depthwise.bias, nullptr);
  EXPECT_EQ(some.depthwise.cache_in, nullptr);
  EXPECT_EQ(some.depthwise.cache_out, nullptr);
}

}  // namespace
}  // namespace vidrt::trt::testing
