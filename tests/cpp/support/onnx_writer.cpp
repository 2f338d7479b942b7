#include "support/onnx_writer.h"

#include <cstring>

namespace vidrt::testing {
namespace {

int onnx_data_type(DType dtype) { return dtype == DType::kInt64 ? 7 : dtype == DType::kFloat16 ? 10 : 1; }

}  // namespace

void ProtoWriter::append_varint(std::uint64_t value) {
  for (; value >= 0x80; value >>= 7U) data_ += static_cast<char>(0x80U | (value & 0x7fU));
  data_ += static_cast<char>(value);
}

ProtoWriter& ProtoWriter::varint(std::uint32_t field, std::uint64_t value) {
  append_varint(std::uint64_t{field} << 3U);
  append_varint(value);
  return *this;
}

ProtoWriter& ProtoWriter::bytes(std::uint32_t field, const std::string& value) {
  append_varint((std::uint64_t{field} << 3U) | 2U);
  append_varint(value.size());
  data_ += value;
  return *this;
}

ProtoWriter& ProtoWriter::fixed32(std::uint32_t field, float value) {
  append_varint((std::uint64_t{field} << 3U) | 5U);
  char bytes[sizeof(value)];
  std::memcpy(bytes, &value, sizeof(value));
  data_.append(bytes, sizeof(bytes));
  return *this;
}

ProtoWriter tensor_proto(const std::string& name, const std::vector<std::int64_t>& dims, int data_type,
                         const std::vector<std::pair<std::string, std::string>>& entries) {
  ProtoWriter tensor;
  for (const std::int64_t dim : dims) tensor.varint(1, static_cast<std::uint64_t>(dim));
  tensor.varint(2, static_cast<std::uint64_t>(data_type)).bytes(8, name);
  for (const auto& [key, value] : entries) tensor.message(13, ProtoWriter().bytes(1, key).bytes(2, value));
  return tensor.varint(14, 1);
}

ProtoWriter tensor_proto(const ExternalWeight& weight) {
  return tensor_proto(weight.name, weight.dims, 1,
                      {{"location", weight.location},
                       {"offset", std::to_string(weight.offset)},
                       {"length", std::to_string(weight.length)}});
}

ProtoWriter node_proto(const std::string& op_type, const std::string& domain) {
  ProtoWriter node;
  node.bytes(4, op_type);
  if (!domain.empty()) node.bytes(7, domain);
  return node;
}

ProtoWriter value_info_proto(const TensorSpec& spec) {
  ProtoWriter shape;
  for (const std::string& dimension : spec.shape) {
    const bool number = dimension.find_first_not_of("0123456789") == std::string::npos;
    shape.message(1, number ? ProtoWriter().varint(1, std::stoull(dimension)) : ProtoWriter().bytes(2, dimension));
  }
  const ProtoWriter tensor_type =
      ProtoWriter().varint(1, static_cast<std::uint64_t>(onnx_data_type(spec.dtype))).message(2, shape);
  return ProtoWriter().bytes(1, spec.name).message(2, ProtoWriter().message(1, tensor_type));
}

ProtoWriter graph_proto(const std::vector<TensorSpec>& inputs, const std::vector<TensorSpec>& outputs,
                        const std::vector<ExternalWeight>& weights) {
  ProtoWriter graph;
  graph.message(1, node_proto("Identity"));
  for (const ExternalWeight& weight : weights) graph.message(5, tensor_proto(weight));
  for (const TensorSpec& spec : inputs) graph.message(11, value_info_proto(spec));
  for (const TensorSpec& spec : outputs) graph.message(12, value_info_proto(spec));
  return graph;
}

ProtoWriter model_proto(const ProtoWriter& graph, int opset) {
  return ProtoWriter()
      .varint(1, 10)  // IR version
      .message(7, graph)
      .message(8, ProtoWriter().varint(2, static_cast<std::uint64_t>(opset)));
}

}  // namespace vidrt::testing
