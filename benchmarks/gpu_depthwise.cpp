// The CUDA kernels behind C functions, so that gpu_depthwise.py runs them on PyTorch's memory and streams, in turns
// with the other contenders. A convolution is over one clip that keeps its size. `sizes`: C, T, H, W, kT, kH, kW.
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>

#include "kernels/depthwise_separable_conv3d_cuda.h"

#define VIDRT_BENCH_API extern "C" __attribute__((visibility("default")))

namespace {

using namespace vidrt::kernels;

ElementType parse_type(const std::string& word) {
  for (const ElementType type : {ElementType::kFloat32, ElementType::kFloat16, ElementType::kBFloat16}) {
    if (word == to_string(type)) return type;
  }
  throw std::invalid_argument("type: got '" + word + "', expected float32, float16 or bfloat16");
}

DepthwiseConv3dInputs make_inputs(DataLayout layout, const std::int64_t* sizes, bool has_bias) {
  DepthwiseConv3dInputs inputs;
  inputs.x = ClipShape{1, sizes[0], sizes[1], sizes[2], sizes[3]}.dims(layout);
  inputs.weight = {sizes[0], 1, sizes[4], sizes[5], sizes[6]};
  if (has_bias) inputs.bias = sizes[0];
  return inputs;
}

DepthwiseSeparableConv3dProblem make_separable(const char* type, const char* layout, const std::int64_t* sizes) {
  DepthwiseConv3dAttributes attributes;
  attributes.data_layout = parse_data_layout(layout);
  attributes.temporal_padding = TemporalPadding::kSame;
  attributes.activation = Activation::kSilu;
  DepthwiseSeparableConv3dInputs inputs;
  inputs.depthwise = make_inputs(attributes.data_layout, sizes, true);
  inputs.pointwise = {sizes[0], sizes[0]};
  inputs.pointwise_bias = sizes[0];
  return make_depthwise_separable_conv3d_problem(attributes, Activation::kNone, parse_type(type), inputs);
}

template <typename Function>
std::int64_t guarded(const Function& function) {
  try {
    return function();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "gpu_depthwise: %s\n", error.what());
    return -1;
  }
}

}  // namespace

/// Queue a depthwise convolution. Causal: zeros in front; else zeros all around. `bias` may be null. Returns 0, a
/// cudaError_t, or -1 with a message on standard error.
VIDRT_BENCH_API int vidrt_bench_depthwise(const char* type, const char* layout, const std::int64_t* sizes,
                                          int is_causal, int has_silu, const void* x, const void* weight,
                                          const void* bias, void* y, CudaStream stream) {
  return static_cast<int>(guarded([&] {
    DepthwiseConv3dAttributes attributes;
    attributes.data_layout = parse_data_layout(layout);
    attributes.temporal_padding = is_causal != 0 ? TemporalPadding::kCausal : TemporalPadding::kSame;
    attributes.activation = has_silu != 0 ? Activation::kSilu : Activation::kNone;
    const DepthwiseConv3dInputs inputs = make_inputs(attributes.data_layout, sizes, bias != nullptr);
    DepthwiseConv3dTensors tensors;
    tensors.x = x;
    tensors.weight = weight;
    tensors.bias = bias;
    tensors.y = y;
    return depthwise_conv3d_cuda(make_depthwise_conv3d_problem(attributes, parse_type(type), inputs), tensors, stream);
  }));
}

/// Bytes of device memory that vidrt_bench_separable needs; -1 with a message on standard error.
VIDRT_BENCH_API std::int64_t vidrt_bench_separable_workspace(const char* type, const char* layout,
                                                             const std::int64_t* sizes) {
  return guarded([&] {
    const std::size_t bytes = depthwise_separable_conv3d_cuda_workspace(make_separable(type, layout, sizes));
    return static_cast<std::int64_t>(bytes);
  });
}

/// Queue a depthwise convolution with zeros all around, bias and SiLU, and a 1x1x1 convolution with bias to as many
/// channels. `tensors`: X, W, B, PW, PB. Returns as vidrt_bench_depthwise.
VIDRT_BENCH_API int vidrt_bench_separable(const char* type, const char* layout, const std::int64_t* sizes,
                                          const void* const* tensors, void* workspace, void* y, CudaStream stream) {
  return static_cast<int>(guarded([&] {
    DepthwiseSeparableConv3dTensors own;
    own.depthwise.x = tensors[0];
    own.depthwise.weight = tensors[1];
    own.depthwise.bias = tensors[2];
    own.pointwise = tensors[3];
    own.pointwise_bias = tensors[4];
    own.depthwise.y = y;
    return depthwise_separable_conv3d_cuda(make_separable(type, layout, sizes), own, workspace, stream);
  }));
}
