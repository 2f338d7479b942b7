#include "tensorrt/plugins/conv_spec.h"

namespace vidrt::trt {

const char* plugin_name(ConvOperator op) {
  return op == ConvOperator::kDepthwise ? "DepthwiseConv3d" : "DepthwiseSeparableConv3d";
}

std::string full_name(ConvOperator op) { return std::string(kPluginNamespace) + "::" + plugin_name(op); }

const char* to_string(ConvInput input) {
  switch (input) {
    case ConvInput::kX:
      return "X";
    case ConvInput::kWeight:
      return "W";
    case ConvInput::kBias:
      return "B";
    case ConvInput::kPointwise:
      return "PW";
    case ConvInput::kPointwiseBias:
      return "PB";
    case ConvInput::kResidual:
      return "residual";
    case ConvInput::kCacheIn:
      return "cache_in";
  }
  return "unknown";
}

std::vector<ConvInput> inputs_of(const ConvSpec& spec) {
  std::vector<ConvInput> inputs{ConvInput::kX, ConvInput::kWeight};
  if (spec.has_bias) inputs.push_back(ConvInput::kBias);
  if (spec.separable()) inputs.push_back(ConvInput::kPointwise);
  if (spec.has_pointwise_bias) inputs.push_back(ConvInput::kPointwiseBias);
  if (spec.has_residual) inputs.push_back(ConvInput::kResidual);
  if (spec.has_cache_in) inputs.push_back(ConvInput::kCacheIn);
  return inputs;
}

std::string list_inputs(const ConvSpec& spec) {
  std::string text;
  for (const ConvInput input : inputs_of(spec)) text += (text.empty() ? "" : ", ") + std::string(to_string(input));
  return text;
}

}  // namespace vidrt::trt
