// Parts of an ONNX file, written: for graphs that the core changes before a backend gets them.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "vidrt/tensor.h"

namespace vidrt {

/// Append a field of a protobuf message to its bytes.
void append_varint_field(std::string* message, std::uint32_t field, std::uint64_t value);
void append_bytes_field(std::string* message, std::uint32_t field, std::string_view value);

/// An AttributeProto of type STRING, of type INT, and of type INTS.
std::string string_attribute_proto(std::string_view name, std::string_view value);
std::string int_attribute_proto(std::string_view name, std::uint64_t value);
std::string ints_attribute_proto(std::string_view name, const std::vector<std::uint64_t>& values);
/// A serialized NodeProto with another second input, and without these fields; all else stays. `subject` begins the
/// messages. Throws BundleError.
std::string node_with_second_input(std::string_view node, std::string_view input, const std::string& subject,
                                   const std::set<std::uint32_t>& without = {});
/// A ValueInfoProto: a tensor's name, type and shape.
std::string value_info_proto(std::string_view name, DType dtype, const Shape& shape);
/// An OperatorSetIdProto: version 1 of a domain.
std::string opset_proto(std::string_view domain);

}  // namespace vidrt
