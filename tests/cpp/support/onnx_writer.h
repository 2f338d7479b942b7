// Minimal protobuf files (ONNX graphs, SentencePiece models), encoded by hand, so that tests decide every byte.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "vidrt/bundle.h"

namespace vidrt::testing {

/// Fields of one protobuf message, in the order they are added.
class ProtoWriter {
 public:
  ProtoWriter& varint(std::uint32_t field, std::uint64_t value);
  ProtoWriter& bytes(std::uint32_t field, const std::string& value);
  ProtoWriter& fixed32(std::uint32_t field, float value);
  ProtoWriter& message(std::uint32_t field, const ProtoWriter& value) { return bytes(field, value.data()); }
  const std::string& data() const { return data_; }

 private:
  void append_varint(std::uint64_t value);
  std::string data_;
};

/// A TensorProto of float32 whose data lies outside the file.
struct ExternalWeight {
  std::string name;
  std::vector<std::int64_t> dims;
  std::string location;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};
ProtoWriter tensor_proto(const ExternalWeight& weight);

/// external_data as {key, value} pairs, data_location EXTERNAL.
ProtoWriter tensor_proto(const std::string& name, const std::vector<std::int64_t>& dims, int data_type,
                         const std::vector<std::pair<std::string, std::string>>& entries);

/// A NodeProto with the given op type and, where not empty, domain.
ProtoWriter node_proto(const std::string& op_type, const std::string& domain = "");

/// A ValueInfoProto: name, type and shape of a graph's input or output.
ProtoWriter value_info_proto(const TensorSpec& spec);

/// A GraphProto of one Identity node with these inputs, outputs and initialisers.
ProtoWriter graph_proto(const std::vector<TensorSpec>& inputs, const std::vector<TensorSpec>& outputs,
                        const std::vector<ExternalWeight>& weights);

/// A ModelProto around a graph.
ProtoWriter model_proto(const ProtoWriter& graph, int opset);

}  // namespace vidrt::testing
