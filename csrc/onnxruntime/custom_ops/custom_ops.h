// The vidrt operators as custom ops of ONNX Runtime's CPU provider.
#pragma once

#include <onnxruntime_c_api.h>

#include <string>

namespace vidrt::custom_ops {

/// Whether there is an operator of this name: "vidrt::DepthwiseConv3d".
bool exists(const std::string& name);

/// Make sessions with these options know the operators. `version` is ONNX Runtime's ("1.32.0"), `threads` how many
/// threads it will use in an operator. What is registered lives as long as the process.
/// Returns null, or a status that the caller releases; throws nothing.
OrtStatus* add_to(OrtSessionOptions* options, const OrtApi& api, const char* version, int threads) noexcept;

}  // namespace vidrt::custom_ops
