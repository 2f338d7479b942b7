// Small ONNX graphs, node by node.
#pragma once

#include <string>
#include <vector>

#include "support/onnx_writer.h"

namespace vidrt::testing {

/// onnx.TensorProto.DataType.
constexpr int kOnnxFloat = 1, kOnnxHalf = 10, kOnnxBrain = 16;

/// A weight in the file "w".
inline ProtoWriter stored_weight(const std::string& name, int data_type, const std::vector<std::int64_t>& dims,
                                 std::int64_t offset = 64) {
  std::int64_t bytes = data_type == kOnnxFloat ? 4 : 2;
  for (const std::int64_t dim : dims) bytes *= dim;
  return tensor_proto(name, dims, data_type,
                      {{"location", "w"}, {"offset", std::to_string(offset)}, {"length", std::to_string(bytes)}});
}

inline ProtoWriter node(const std::string& op_type, const std::vector<std::string>& inputs, const std::string& output) {
  ProtoWriter writer;
  for (const std::string& input : inputs) writer.bytes(1, input);
  return writer.bytes(2, output).bytes(4, op_type);
}

inline ProtoWriter cast(const std::string& input, const std::string& output) {
  return node("Cast", {input}, output).message(5, ProtoWriter().bytes(1, "to").varint(3, kOnnxFloat).varint(20, 2));
}

inline ProtoWriter transpose(const std::string& input, const std::string& output,
                             const std::vector<std::uint64_t>& perm = {1, 0}) {
  ProtoWriter attribute;
  attribute.bytes(1, "perm");
  for (const std::uint64_t axis : perm) attribute.varint(8, axis);
  return node("Transpose", {input}, output).message(5, attribute.varint(20, 7));
}

struct Graph {
  ProtoWriter writer;
  Graph& weight(const ProtoWriter& tensor) { return add(5, tensor); }
  Graph& node(const ProtoWriter& proto) { return add(1, proto); }
  Graph& output(const std::string& name) { return add(12, ProtoWriter().bytes(1, name)); }
  Graph& input(const std::string& name) { return add(11, ProtoWriter().bytes(1, name)); }
  std::string model() const { return model_proto(writer, 20).data(); }

 private:
  Graph& add(std::uint32_t field, const ProtoWriter& value) {
    writer.message(field, value);
    return *this;
  }
};

}  // namespace vidrt::testing
