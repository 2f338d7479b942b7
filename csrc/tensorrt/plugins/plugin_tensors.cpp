#include "tensorrt/plugins/plugin_tensors.h"

#include <stdexcept>
#include <string>

namespace vidrt::trt {
namespace {

using kernels::ClipShape;
using kernels::DataLayout;
using kernels::ElementType;
using nvinfer1::DataType;
using nvinfer1::Dims;
using nvinfer1::PluginTensorDesc;
using nvinfer1::TensorFormat;

[[noreturn]] void refuse(const std::string& message) { throw std::invalid_argument(message); }

std::int32_t rank_of(ConvInput input) {
  switch (input) {
    case ConvInput::kBias:
    case ConvInput::kPointwiseBias:
      return 1;
    case ConvInput::kPointwise:
      return 2;
    default:
      return 5;
  }
}

template <std::size_t N>
std::array<std::int64_t, N> sizes(const Dims& dims) {
  std::array<std::int64_t, N> result{};
  for (std::size_t i = 0; i < N; ++i) result[i] = dims.d[i];
  return result;
}

// Vectors of eight channels are plain channels-last memory only where no channel is padding.
bool whole_vectors(const Dims& dims) { return dims.nbDims == 5 && dims.d[1] > 0 && dims.d[1] % 8 == 0; }

bool clip_format(const ConvSpec& spec, const PluginTensorDesc& desc) {
  if (desc.format == TensorFormat::kLINEAR) return true;
  if (spec.attributes.data_layout != DataLayout::kNCTHW) return false;
  if (desc.type == DataType::kFLOAT) return desc.format == TensorFormat::kDHWC;
  return desc.format == TensorFormat::kDHWC8 && whole_vectors(desc.dims);
}

}  // namespace

void check_rank(ConvInput input, std::int32_t rank) {
  if (rank != rank_of(input)) {
    refuse(std::string(to_string(input)) + ": got " + std::to_string(rank) + " dimensions, expected " +
           std::to_string(rank_of(input)) + ".");
  }
}

void check_type(ConvInput input, DataType type, DataType of_x) {
  if (type != of_x) {
    refuse(std::string(to_string(input)) + ": got the TensorRT data type " + std::to_string(static_cast<int>(type)) +
           ", expected " + std::to_string(static_cast<int>(of_x)) + ", as X has.");
  }
}

ElementType element_type(DataType type) {
  switch (type) {
    case DataType::kFLOAT:
      return ElementType::kFloat32;
    case DataType::kHALF:
      return ElementType::kFloat16;
    case DataType::kBF16:
      return ElementType::kBFloat16;
    default:
      refuse("X: got the TensorRT data type " + std::to_string(static_cast<int>(type)) +
             ", expected float (kFLOAT), half (kHALF) or bfloat16 (kBF16).");
  }
}

bool supports_format(const ConvSpec& spec, std::int32_t pos, const nvinfer1::DynamicPluginTensorDesc* tensors) {
  const PluginTensorDesc& x = tensors[0].desc;
  const PluginTensorDesc& desc = tensors[pos].desc;
  if (pos == 0) {
    const bool known = x.type == DataType::kFLOAT || x.type == DataType::kHALF || x.type == DataType::kBF16;
    return known && clip_format(spec, x);
  }
  if (desc.type != x.type) return false;
  const std::vector<ConvInput> inputs = inputs_of(spec);
  const auto index = static_cast<std::size_t>(pos);
  if (index < inputs.size() && !is_clip(inputs[index])) return desc.format == TensorFormat::kLINEAR;
  return desc.format == x.format && clip_format(spec, desc);
}

kernels::DepthwiseSeparableConv3dProblem make_problem(const ConvSpec& spec, const PluginTensorDesc* inputs) {
  const std::vector<ConvInput> roles = inputs_of(spec);
  kernels::DepthwiseSeparableConv3dInputs found;
  found.depthwise.wants_cache_out = spec.has_cache_out;
  for (std::size_t i = 0; i < roles.size(); ++i) {
    const PluginTensorDesc& desc = inputs[i];
    check_rank(roles[i], desc.dims.nbDims);
    check_type(roles[i], desc.type, inputs[0].type);
    switch (roles[i]) {
      case ConvInput::kX:
        found.depthwise.x = sizes<5>(desc.dims);
        break;
      case ConvInput::kWeight:
        found.depthwise.weight = sizes<5>(desc.dims);
        break;
      case ConvInput::kBias:
        found.depthwise.bias = desc.dims.d[0];
        break;
      case ConvInput::kPointwise:
        found.pointwise = sizes<2>(desc.dims);
        break;
      case ConvInput::kPointwiseBias:
        found.pointwise_bias = desc.dims.d[0];
        break;
      case ConvInput::kResidual:
        found.depthwise.residual = sizes<5>(desc.dims);
        break;
      case ConvInput::kCacheIn:
        found.depthwise.cache_in = sizes<5>(desc.dims);
        break;
    }
  }
  const ElementType type = element_type(inputs[0].type);
  kernels::DepthwiseSeparableConv3dProblem problem;
  if (spec.separable()) {
    problem = kernels::make_depthwise_separable_conv3d_problem(spec.attributes, spec.output_activation, type, found);
  } else {
    problem.depthwise = kernels::make_depthwise_conv3d_problem(spec.attributes, type, found.depthwise);
    problem.y = problem.depthwise.y;
  }
  // TensorRT's dimensions keep the order of data_layout whatever the format; the kernels want the order in memory.
  if (inputs[0].format != TensorFormat::kLINEAR) problem.depthwise.attributes.data_layout = DataLayout::kNTHWC;
  return problem;
}

kernels::DepthwiseSeparableConv3dTensors gather_tensors(const ConvSpec& spec, const void* const* inputs,
                                                        void* const* outputs) {
  kernels::DepthwiseSeparableConv3dTensors tensors;
  const std::vector<ConvInput> roles = inputs_of(spec);
  for (std::size_t i = 0; i < roles.size(); ++i) {
    switch (roles[i]) {
      case ConvInput::kX:
        tensors.depthwise.x = inputs[i];
        break;
      case ConvInput::kWeight:
        tensors.depthwise.weight = inputs[i];
        break;
      case ConvInput::kBias:
        tensors.depthwise.bias = inputs[i];
        break;
      case ConvInput::kPointwise:
        tensors.pointwise = inputs[i];
        break;
      case ConvInput::kPointwiseBias:
        tensors.pointwise_bias = inputs[i];
        break;
      case ConvInput::kResidual:
        tensors.depthwise.residual = inputs[i];
        break;
      case ConvInput::kCacheIn:
        tensors.depthwise.cache_in = inputs[i];
        break;
    }
  }
  tensors.depthwise.y = outputs[0];
  if (spec.has_cache_out) tensors.depthwise.cache_out = outputs[1];
  return tensors;
}

}  // namespace vidrt::trt
