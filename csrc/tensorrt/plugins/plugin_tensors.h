// Tensors as TensorRT describes them: which types and memory formats a plugin takes, and what it computes from them.
#pragma once

#include <NvInferRuntime.h>

#include "kernels/depthwise_separable_conv3d.h"
#include "tensorrt/plugins/conv_spec.h"

namespace vidrt::trt {

/// Throws std::invalid_argument unless the input may have `rank` dimensions.
void check_rank(ConvInput input, std::int32_t rank);

/// Throws std::invalid_argument unless `type` is float, half or bfloat16.
kernels::ElementType element_type(nvinfer1::DataType type);

/// Throws std::invalid_argument unless the input's type is that of X.
void check_type(ConvInput input, nvinfer1::DataType type, nvinfer1::DataType of_x);

/// Whether tensor `pos` of the inputs and then the outputs may have the type and format it has, given those before it.
/// All have the type of X; clips (X, residual, cache_in and the outputs) share one format: linear, or channels last
/// (kDHWC for float; kDHWC8 for half and bfloat16 where the channels are a multiple of eight); weights are linear.
/// A plugin whose data_layout is NTHWC is channels last in the linear format and takes no other.
bool supports_format(const ConvSpec& spec, std::int32_t pos, const nvinfer1::DynamicPluginTensorDesc* tensors);

/// The convolution that these inputs make, in the layout of their memory; they are as inputs_of(spec), all sizes known.
/// The plain operator's problem is the `depthwise` of the result. Throws std::invalid_argument where they do not fit
/// together.
kernels::DepthwiseSeparableConv3dProblem make_problem(const ConvSpec& spec, const nvinfer1::PluginTensorDesc* inputs);

/// The pointers by what they point to, in the order of inputs_of(spec) and of the outputs.
kernels::DepthwiseSeparableConv3dTensors gather_tensors(const ConvSpec& spec, const void* const* inputs,
                                                        void* const* outputs);

}  // namespace vidrt::trt
