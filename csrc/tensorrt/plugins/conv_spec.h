// What a convolution plugin is made from: the attributes of its ONNX node, and which optional tensors the node has.
#pragma once

#include <string>
#include <vector>

#include "kernels/conv3d_types.h"

namespace vidrt::trt {

constexpr const char* kPluginNamespace = "vidrt";
constexpr const char* kPluginVersion = "1";

/// The two operators share everything but the 1x1x1 convolution.
enum class ConvOperator { kDepthwise, kDepthwiseSeparable };

/// The name of the plugin, of its creator and of the ONNX node.
const char* plugin_name(ConvOperator op);

/// The same with its namespace.
std::string full_name(ConvOperator op);

/// TensorRT has no absent inputs and asks for the number of outputs before it shows the inputs: so the node says which
/// it has.
struct ConvSpec {
  ConvOperator op = ConvOperator::kDepthwise;
  kernels::DepthwiseConv3dAttributes attributes;
  kernels::Activation output_activation = kernels::Activation::kNone;  // separable only
  bool has_bias = false;
  bool has_pointwise_bias = false;  // separable only
  bool has_residual = false;
  bool has_cache_in = false;
  bool has_cache_out = false;

  bool separable() const { return op == ConvOperator::kDepthwiseSeparable; }
  int outputs() const { return has_cache_out ? 2 : 1; }
};

enum class ConvInput { kX, kWeight, kBias, kPointwise, kPointwiseBias, kResidual, kCacheIn };
constexpr std::size_t kConvInputs = 7;

/// As the operator's description spells it: X, W, B, PW, PB, residual, cache_in.
const char* to_string(ConvInput input);

/// The inputs that the node has, in their order.
std::vector<ConvInput> inputs_of(const ConvSpec& spec);

/// "X, W, cache_in", for messages.
std::string list_inputs(const ConvSpec& spec);

/// Whether the input is a clip, in the layout of X; the others are weights.
constexpr bool is_clip(ConvInput input) {
  return input == ConvInput::kX || input == ConvInput::kResidual || input == ConvInput::kCacheIn;
}

}  // namespace vidrt::trt
