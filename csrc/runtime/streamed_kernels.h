// An ONNX graph whose large convolution kernels are read from their file in every run, instead of being held.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/onnx_graph.h"

namespace vidrt {

/// The operator that reads a weight: in a domain of its own, which only sessions of the core know. Its input is there
/// to say when: a node without one might be run long before its result is wanted, and the results of all would then lie
/// in memory at once. Nor can anything be computed of its result before there is that input.
inline constexpr const char* kStreamingDomain = "vidrt.streaming";
inline constexpr const char* kReadWeight = "ReadWeight";
inline constexpr const char* kWeightAttribute = "weight";  // INT: index into StreamingGraph::kernels

struct StreamingGraph {
  std::string model;                    // a serialized ModelProto
  std::vector<ExternalTensor> kernels;  // float16 and bfloat16 are to be read as float32
};

/// Give each Conv of the kernels of these names (StreamedNames::kernels) a node of its own that reads the kernel right
/// before it is run; initialisers, and casts of them to float32, are dropped. `file` is the graph's path, for messages.
/// Throws BundleError for a malformed graph.
StreamingGraph stream_kernels(std::string_view model, const std::string& file, const std::set<std::string>& names);

}  // namespace vidrt
