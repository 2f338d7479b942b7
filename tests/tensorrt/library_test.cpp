// The built library through the two functions that it exports, as TensorRT uses it.
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <memory>

#include "../cpp/support/throws.h"
#include "support/collecting_log.h"
#include "support/descs.h"
#include "support/fields.h"
#include "support/symbolic_shapes.h"

namespace vidrt::trt::testing {
namespace {

using nvinfer1::DataType;
using nvinfer1::IPluginCreatorV3One;
using nvinfer1::IPluginV3;
using nvinfer1::PluginCapabilityType;
using nvinfer1::TensorRTPhase;
using vidrt::testing::names;

class PluginLibrary : public ::testing::Test {
 protected:
  void SetUp() override {
    library_.reset(dlopen(VIDRT_TRT_LIBRARY, RTLD_NOW | RTLD_LOCAL));
    ASSERT_NE(library_, nullptr) << dlerror();
    const auto set_finder = reinterpret_cast<void (*)(nvinfer1::ILoggerFinder*)>(find("setLoggerFinder"));
    using GetCreators = nvinfer1::IPluginCreatorInterface* const* (*)(std::int32_t&);
    const auto get_creators = reinterpret_cast<GetCreators>(find("getCreators"));
    set_finder(&log_);
    std::int32_t count = 0;
    nvinfer1::IPluginCreatorInterface* const* creators = get_creators(count);
    for (std::int32_t i = 0; i < count; ++i) creators_.push_back(static_cast<IPluginCreatorV3One*>(creators[i]));
  }

  void* find(const char* name) {
    void* symbol = dlsym(library_.get(), name);
    EXPECT_NE(symbol, nullptr) << name;
    return symbol;
  }

  std::unique_ptr<IPluginV3> create(const Fields& fields, TensorRTPhase phase = TensorRTPhase::kBUILD) {
    const auto collection = fields.collection();
    return std::unique_ptr<IPluginV3>(creators_[0]->createPlugin("conv_7", &collection, phase));
  }

  template <typename Interface>
  static Interface& as(IPluginV3& plugin, PluginCapabilityType type) {
    return *static_cast<Interface*>(plugin.getCapabilityInterface(type));
  }
  static nvinfer1::IPluginV3OneBuild& build(IPluginV3& plugin) {
    return as<nvinfer1::IPluginV3OneBuild>(plugin, PluginCapabilityType::kBUILD);
  }
  static nvinfer1::IPluginV3OneRuntime& runtime(IPluginV3& plugin) {
    return as<nvinfer1::IPluginV3OneRuntime>(plugin, PluginCapabilityType::kRUNTIME);
  }

  struct Close {
    void operator()(void* library) const { dlclose(library); }
  };
  CollectingLog log_;  // outlives the library, which keeps a pointer to it
  std::unique_ptr<void, Close> library_;
  std::vector<IPluginCreatorV3One*> creators_;
};

TEST_F(PluginLibrary, HasTwoCreatorsInTheNamespace) {
  ASSERT_EQ(creators_.size(), 2u);
  EXPECT_STREQ(creators_[0]->getPluginName(), "DepthwiseConv3d");
  EXPECT_STREQ(creators_[1]->getPluginName(), "DepthwiseSeparableConv3d");
  for (IPluginCreatorV3One* creator : creators_) {
    EXPECT_STREQ(creator->getPluginVersion(), "1");
    EXPECT_STREQ(creator->getPluginNamespace(), "vidrt");
    EXPECT_STREQ(creator->getInterfaceInfo().kind, "PLUGIN CREATOR_V3ONE");
    EXPECT_GE(creator->getFieldNames()->nbFields, 12);
  }
}

TEST_F(PluginLibrary, ExportsNothingElse) {
  EXPECT_EQ(dlsym(library_.get(), "_ZN5vidrt3trt11plugin_nameENS0_12ConvOperatorE"), nullptr);
  EXPECT_EQ(dlsym(library_.get(), "_ZN5vidrt7kernels9to_stringENS0_11ElementTypeE"), nullptr);
}

TEST_F(PluginLibrary, RefusedFieldsAreAnErrorInTheLogAndNoPlugin) {
  EXPECT_EQ(create(Fields().word("activation", "swish")), nullptr);
  EXPECT_EQ(creators_[0]->createPlugin("conv_8", nullptr, TensorRTPhase::kBUILD), nullptr);
  ASSERT_EQ(log_.errors.size(), 2u);
  EXPECT_TRUE(names(log_.errors[0], {"vidrt::DepthwiseConv3d", "'conv_7'", "activation", "'swish'", "silu"}));
  EXPECT_TRUE(names(log_.errors[1], {"'conv_8'", "no fields"}));
}

TEST_F(PluginLibrary, APluginLivesOnInItsClonesAndInTheEngine) {
  auto plugin = create(Fields().word("temporal_padding", "causal").flag("has_cache_out").numbers("strides", {1, 2, 2}));
  ASSERT_NE(plugin, nullptr);
  const std::string metadata = build(*plugin).getMetadataString();
  EXPECT_TRUE(names(metadata, {"strides=1,2,2", "temporal_padding=causal", "has_cache_out=1"}));
  const std::unique_ptr<IPluginV3> copy(plugin->clone());
  const std::unique_ptr<IPluginV3> attached(runtime(*plugin).attachToContext(nullptr));
  const std::unique_ptr<IPluginV3> restored(
      creators_[0]->createPlugin("conv_7", runtime(*plugin).getFieldsToSerialize(), TensorRTPhase::kRUNTIME));
  plugin.reset();
  for (IPluginV3* other : {copy.get(), attached.get(), restored.get()}) {
    ASSERT_NE(other, nullptr);
    EXPECT_EQ(build(*other).getMetadataString(), metadata);
    EXPECT_EQ(build(*other).getNbOutputs(), 2);
    const auto& core = as<nvinfer1::IPluginV3OneCore>(*other, PluginCapabilityType::kCORE);
    EXPECT_STREQ(core.getPluginName(), "DepthwiseConv3d");
    EXPECT_STREQ(core.getPluginVersion(), "1");
    EXPECT_STREQ(core.getPluginNamespace(), "vidrt");
  }
}

TEST_F(PluginLibrary, TimesOfOtherAttributesAreNotReused) {
  const auto one = create(Fields().word("activation", "relu"));
  const auto same = create(Fields().word("activation", "relu"));
  const auto other = create(Fields().word("activation", "silu"));
  EXPECT_STREQ(build(*one).getTimingCacheID(), build(*same).getTimingCacheID());
  EXPECT_STRNE(build(*one).getTimingCacheID(), build(*other).getTimingCacheID());
  EXPECT_EQ(build(*one).getNbTactics(), 0);
}

TEST_F(PluginLibrary, OutputsHaveTheTypeOfXAndTheShapeThatTheFieldsSay) {
  const auto plugin = create(Fields().word("temporal_padding", "causal").flag("has_cache_out").flag("has_bias"));
  const DataType inputs[] = {DataType::kBF16, DataType::kBF16, DataType::kBF16};
  DataType outputs[2]{};
  ASSERT_EQ(build(*plugin).getOutputDataTypes(outputs, 2, inputs, 3), 0);
  EXPECT_EQ(outputs[0], DataType::kBF16);
  EXPECT_EQ(outputs[1], DataType::kBF16);
  SymbolicShapes symbols;
  const nvinfer1::DimsExprs shapes[] = {symbols.dims({"N", "8", "T", "6", "6"}),
                                        symbols.dims({"8", "1", "3", "3", "3"}), symbols.dims({"8"})};
  nvinfer1::DimsExprs found[2]{};
  ASSERT_EQ(build(*plugin).getOutputShapes(shapes, 3, nullptr, 0, found, 2, symbols), 0);
  using Values = std::vector<std::int64_t>;
  EXPECT_EQ(SymbolicShapes::compute(found[0], {{"N", 2}, {"T", 5}}), (Values{2, 8, 5, 6, 6}));
  EXPECT_EQ(SymbolicShapes::compute(found[1], {{"N", 2}, {"T", 5}}), (Values{2, 8, 2, 6, 6}));
  EXPECT_TRUE(log_.errors.empty());
}

TEST_F(PluginLibrary, RefusesOtherNumbersOfInputsOtherTypesAndShapes) {
  const auto plugin = create(Fields().flag("has_bias"));
  DataType output{};
  const DataType mixed[] = {DataType::kHALF, DataType::kHALF, DataType::kFLOAT};
  EXPECT_NE(build(*plugin).getOutputDataTypes(&output, 1, mixed, 3), 0);
  const DataType integers[] = {DataType::kINT8, DataType::kINT8, DataType::kINT8};
  EXPECT_NE(build(*plugin).getOutputDataTypes(&output, 1, integers, 3), 0);
  EXPECT_NE(build(*plugin).configurePlugin(nullptr, 2, nullptr, 1), 0);
  EXPECT_NE(build(*plugin).configurePlugin(nullptr, 3, nullptr, 2), 0);
  const nvinfer1::PluginTensorDesc descs[] = {Tensor{{1, 8, 4, 6, 6}}.desc(), Tensor{{8, 1, 3, 3, 3}}.desc(),
                                              Tensor{{9}}.desc()};
  EXPECT_NE(runtime(*plugin).onShapeChange(descs, 3, nullptr, 1), 0);
  ASSERT_EQ(log_.errors.size(), 5u);
  EXPECT_TRUE(names(log_.errors[0], {"'conv_7'", "B", "data type 0", "expected 1"}));
  EXPECT_TRUE(names(log_.errors[1], {"X", "data type 2", "kBF16"}));
  EXPECT_TRUE(names(log_.errors[2], {"got 2 inputs", "expected 3 (X, W, B)", "has_bias"}));
  EXPECT_TRUE(names(log_.errors[3], {"got 2 outputs", "expected 1", "has_cache_out"}));
  EXPECT_TRUE(names(log_.errors[4], {"B", "got 9", "expected 8"}));
}

TEST_F(PluginLibrary, ABoundThatCannotRunLeavesNoWayToBuildTheLayer) {
  const auto plugin = create(Fields().word("temporal_padding", "valid"));
  nvinfer1::DynamicPluginTensorDesc inputs[2]{};
  inputs[0].desc = Tensor{{1, 8, -1, 6, 6}}.desc();
  inputs[1].desc = Tensor{{8, 1, 3, 3, 3}}.desc();
  inputs[1].max = inputs[1].desc.dims;
  inputs[0].max = Tensor{{1, 8, 9, 6, 6}}.desc().dims;
  EXPECT_EQ(build(*plugin).getWorkspaceSize(inputs, 2, nullptr, 1), 0u);
  EXPECT_TRUE(log_.errors.empty());
  inputs[0].max.d[2] = 2;
  EXPECT_GT(build(*plugin).getWorkspaceSize(inputs, 2, nullptr, 1), std::size_t{1} << 50);
  ASSERT_EQ(log_.errors.size(), 1u);
  EXPECT_TRUE(names(log_.errors[0], {"X", "2 positions along time", "at least 3"}));
}

TEST_F(PluginLibrary, WithoutKernelsRunningIsAnErrorThatSaysSo) {
  if (VIDRT_TRT_HAS_KERNELS) GTEST_SKIP() << "this build has the CUDA kernels";
  const auto plugin = create(Fields());
  const nvinfer1::PluginTensorDesc descs[] = {Tensor{{1, 8, 4, 6, 6}}.desc(), Tensor{{8, 1, 3, 3, 3}}.desc()};
  const void* inputs[2]{};
  void* outputs[1]{};
  EXPECT_EQ(runtime(*plugin).onShapeChange(descs, 2, nullptr, 1), 0);
  EXPECT_NE(runtime(*plugin).enqueue(descs, nullptr, inputs, outputs, nullptr, nullptr), 0);
  ASSERT_EQ(log_.errors.size(), 1u);
  EXPECT_TRUE(names(log_.errors[0], {"'conv_7'", "without CUDA kernels", "VIDRT_CUDA=ON"}));
}

}  // namespace
}  // namespace vidrt::trt::testing
