#include "runtime/onnx_writer.h"

#include "runtime/onnx_tensor.h"
#include "runtime/protobuf_reader.h"

namespace vidrt {
namespace {

constexpr std::uint64_t kIntAttribute = 2;  // AttributeProto.AttributeType.INT
constexpr std::uint64_t kStringAttribute = 3;
constexpr std::uint64_t kIntsAttribute = 7;

void append_varint(std::string* out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7U) out->push_back(static_cast<char>(0x80U | (value & 0x7fU)));
  out->push_back(static_cast<char>(value));
}

}  // namespace

void append_varint_field(std::string* message, std::uint32_t field, std::uint64_t value) {
  append_varint(message, std::uint64_t{field} << 3U);
  append_varint(message, value);
}

void append_bytes_field(std::string* message, std::uint32_t field, std::string_view value) {
  append_varint(message, (std::uint64_t{field} << 3U) | 2U);
  append_varint(message, value.size());
  message->append(value);
}

std::string string_attribute_proto(std::string_view name, std::string_view value) {
  std::string attribute;
  append_bytes_field(&attribute, 1, name);
  append_bytes_field(&attribute, 4, value);
  append_varint_field(&attribute, 20, kStringAttribute);
  return attribute;
}

std::string int_attribute_proto(std::string_view name, std::uint64_t value) {
  std::string attribute;
  append_bytes_field(&attribute, 1, name);
  append_varint_field(&attribute, 3, value);
  append_varint_field(&attribute, 20, kIntAttribute);
  return attribute;
}

std::string ints_attribute_proto(std::string_view name, const std::vector<std::uint64_t>& values) {
  std::string attribute;
  append_bytes_field(&attribute, 1, name);
  for (const std::uint64_t value : values) append_varint_field(&attribute, 8, value);
  append_varint_field(&attribute, 20, kIntsAttribute);
  return attribute;
}

std::string node_with_second_input(std::string_view node, std::string_view input, const std::string& subject,
                                   const std::set<std::uint32_t>& without) {
  std::string changed;
  ProtobufReader reader(node, subject);
  int inputs = 0;
  while (reader.next()) {
    if (reader.field() == 1 && ++inputs == 2) {
      append_bytes_field(&changed, 1, input);
    } else if (without.count(reader.field()) == 0) {
      changed.append(reader.raw());
    }
  }
  return changed;
}

std::string value_info_proto(std::string_view name, DType dtype, const Shape& shape) {
  std::string dimensions;
  for (const std::int64_t dim : shape) {
    std::string dimension;
    append_varint_field(&dimension, 1, static_cast<std::uint64_t>(dim));
    append_bytes_field(&dimensions, 1, dimension);
  }
  std::string tensor_type;
  append_varint_field(&tensor_type, 1, static_cast<std::uint64_t>(onnx_data_type(dtype)));
  append_bytes_field(&tensor_type, 2, dimensions);
  std::string type;
  append_bytes_field(&type, 1, tensor_type);
  std::string value;
  append_bytes_field(&value, 1, name);
  append_bytes_field(&value, 2, type);
  return value;
}

std::string opset_proto(std::string_view domain) {
  std::string import;
  append_bytes_field(&import, 1, domain);
  append_varint_field(&import, 2, 1);
  return import;
}

}  // namespace vidrt
