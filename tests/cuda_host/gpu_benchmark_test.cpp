// The C functions that `make bench-gpu` times, on the emulated device, against the reference.
#include <gtest/gtest.h>

#include "cuda_host/support/on_emulator.h"
#include "cuda_host/support/rounded_reference.h"

extern "C" {
int vidrt_bench_depthwise(const char* type, const char* layout, const std::int64_t* sizes, int is_causal, int has_silu,
                          const void* x, const void* weight, const void* bias, void* y,
                          vidrt::kernels::CudaStream stream);
std::int64_t vidrt_bench_separable_workspace(const char* type, const char* layout, const std::int64_t* sizes);
int vidrt_bench_separable(const char* type, const char* layout, const std::int64_t* sizes, const void* const* tensors,
                          void* workspace, void* y, vidrt::kernels::CudaStream stream);
}

namespace vidrt::kernels::testing {
namespace {

constexpr ElementType kTypes[] = {ElementType::kFloat32, ElementType::kFloat16, ElementType::kBFloat16};
constexpr DataLayout kLayouts[] = {DataLayout::kNCTHW, DataLayout::kNTHWC};
constexpr std::int64_t kSizes[] = {16, 3, 5, 7, 3, 3, 5};  // C, T, H, W, kT, kH, kW

ConvCase make_case(ElementType type, DataLayout layout) {
  ConvCase conv;
  conv.type = type;
  conv.attributes.data_layout = layout;
  conv.x = {1, kSizes[0], kSizes[1], kSizes[2], kSizes[3]};
  conv.kernel = {kSizes[4], kSizes[5], kSizes[6]};
  return conv;
}

TEST(GpuBenchmark, DepthwiseConvolutionsAreAsTheReference) {
  for (const ElementType type : kTypes) {
    for (const DataLayout layout : kLayouts) {
      for (const bool is_causal : {false, true}) {
        ConvCase conv = make_case(type, layout);
        conv.bias = is_causal;
        conv.attributes.temporal_padding = is_causal ? TemporalPadding::kCausal : TemporalPadding::kSame;
        conv.attributes.activation = is_causal ? Activation::kSilu : Activation::kNone;
        expect_as_reference(
            conv, Depthwise([&](const DepthwiseConv3dProblem& problem, const DepthwiseConv3dTensors& tensors) {
              CUstream_st device;
              declare(problem, tensors, &device);
              ASSERT_EQ(vidrt_bench_depthwise(to_string(type), to_string(layout), kSizes, is_causal, is_causal,
                                              tensors.x, tensors.weight, tensors.bias, tensors.y, &device),
                        0);
            }));
      }
    }
  }
}

TEST(GpuBenchmark, SeparableConvolutionsAreAsTheReference) {
  for (const ElementType type : kTypes) {
    for (const DataLayout layout : kLayouts) {
      ConvCase conv = make_case(type, layout);
      conv.attributes.temporal_padding = TemporalPadding::kSame;
      conv.attributes.activation = Activation::kSilu;
      conv.outputs = conv.x.c;
      expect_as_rounded_reference(
          conv, [&](const DepthwiseSeparableConv3dProblem& problem, const DepthwiseSeparableConv3dTensors& tensors) {
            const std::int64_t bytes = vidrt_bench_separable_workspace(to_string(type), to_string(layout), kSizes);
            ASSERT_GT(bytes, 0);
            Bytes workspace(static_cast<std::size_t>(bytes));
            CUstream_st device;
            declare_separable(problem, tensors, workspace, &device);
            const DepthwiseConv3dTensors& own = tensors.depthwise;
            const void* inputs[] = {own.x, own.weight, own.bias, tensors.pointwise, tensors.pointwise_bias};
            ASSERT_EQ(vidrt_bench_separable(to_string(type), to_string(layout), kSizes, inputs, workspace.data(),
                                            own.y, &device),
                      0);
          });
    }
  }
}

TEST(GpuBenchmark, AWrongWordIsAnErrorAndNoLaunch) {
  CUstream_st device;
  EXPECT_EQ(vidrt_bench_depthwise("float64", "NCTHW", kSizes, 0, 0, nullptr, nullptr, nullptr, nullptr, &device), -1);
  EXPECT_EQ(vidrt_bench_separable_workspace("float16", "NHWC", kSizes), -1);
  EXPECT_TRUE(device.launches.empty());
}

}  // namespace
}  // namespace vidrt::kernels::testing
