// What the core needs to know of an ONNX file before a backend sees it: the weights it refers to, the operators it
// uses, its inputs and outputs. Field numbers are those of onnx.proto (IR version 13 and before).
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "vidrt/bundle.h"

namespace vidrt {

/// A tensor whose bytes lie outside the ONNX file.
struct ExternalTensor {
  std::string name;
  std::string location;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  std::int64_t data_type = 0;  // onnx.TensorProto.DataType
  std::vector<std::int64_t> dims;
};

struct GraphValue {
  std::string name;
  std::int64_t data_type = 0;  // onnx.TensorProto.DataType; 0 = no tensor, or not said
};

struct OnnxGraph {
  std::map<std::string, std::int64_t> opsets;     // domain -> version; "" is ONNX's own
  std::map<std::string, std::int64_t> op_counts;  // "Conv", "vidrt::DepthwiseConv3d", ... -> nodes, subgraphs included
  std::set<std::string> custom_ops;               // those of op_counts with a domain and no definition in the file
  std::vector<GraphValue> inputs, outputs;        // of the main graph, initialisers left out
  std::vector<ExternalTensor> external;           // everywhere: initialisers, attributes, subgraphs, functions, ...
};

/// Read a serialized ModelProto. `file` is its path, for messages. Throws BundleError for anything malformed or
/// ambiguous (protobuf merges a message given twice; here it is an error) and for a tensor whose external length is not
/// dims times element size.
OnnxGraph read_onnx_graph(std::string_view model, const std::string& file);

/// Check a graph against what the manifest says of it: opset, custom ops, names and dtypes of inputs and outputs, and
/// that every external tensor lies inside one of the variant's data files. `file` is the graph's path, for messages.
/// Returns the bytes of weights that the graph refers to, each range counted once. Throws BundleError.
std::uint64_t check_onnx_graph(const OnnxGraph& graph, const Variant& variant,
                               const std::map<std::string, DataFile>& data_files, const std::string& file);

}  // namespace vidrt
