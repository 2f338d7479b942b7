#include "runtime/onnx_tensor.h"

#include <charconv>
#include <iterator>
#include <limits>
#include <map>
#include <optional>

namespace vidrt {
namespace {

constexpr std::size_t kMaxRank = 64;
constexpr std::size_t kMaxTextBytes = 4096;
constexpr std::uint64_t kExternal = 1;  // TensorProto.DataLocation.EXTERNAL

// Bits of one element by TensorProto.DataType; 0 = strings and numbers that are no type.
constexpr std::uint64_t kElementBits[] = {0,   32, 8, 8, 16, 16, 32, 64, 0, 8, 16, 64, 32, 64, 64,
                                          128, 16, 8, 8, 8,  8,  4,  4,  4, 8, 2,  2,  6,  6};

using Entries = std::map<std::string, std::string>;

void read_entry(std::string_view message, const std::string& subject, Entries* entries) {
  ProtobufReader entry(message, subject);
  std::string key;
  std::string value;
  while (entry.next()) {
    if (entry.field() == 1) key = short_text(entry);
    if (entry.field() == 2) value = short_text(entry);
  }
  if (!entries->emplace(key, value).second) entry.fail("the external-data key '" + key + "' is there twice");
}

// Nothing when a dimension is negative, the type has no fixed size, or the product overflows.
std::optional<std::uint64_t> tensor_bytes(const ExternalTensor& tensor) {
  if (tensor.data_type < 0 || static_cast<std::size_t>(tensor.data_type) >= std::size(kElementBits)) return {};
  std::uint64_t bits = kElementBits[tensor.data_type];
  if (bits == 0) return {};
  for (const std::int64_t dim : tensor.dims) {
    if (dim < 0) return {};
    const auto factor = static_cast<std::uint64_t>(dim);
    if (factor != 0 && bits > std::numeric_limits<std::uint64_t>::max() / 2 / factor) return {};
    bits *= factor;
  }
  return (bits + 7) / 8;
}

std::uint64_t read_decimal(const ProtobufReader& reader, const std::string& what, const std::string& value) {
  std::uint64_t number = 0;
  const auto [stop, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || stop != value.data() + value.size()) {
    reader.fail(what + " is '" + value + "', expected a number");
  }
  return number;
}

void take_entries(const ProtobufReader& reader, const Entries& entries, ExternalTensor* tensor) {
  const std::string subject = "the tensor '" + tensor->name + "' ";
  for (const auto& [key, value] : entries) {
    if (key == "location") {
      tensor->location = value;
    } else if (key == "offset") {
      tensor->offset = read_decimal(reader, "the offset of " + subject, value);
    } else if (key == "length") {
      tensor->length = read_decimal(reader, "the length of " + subject, value);
    } else if (key != "checksum") {
      reader.fail(subject + "has the external-data key '" + key + "', expected location, offset or length");
    }
  }
  if (entries.count("location") == 0 || entries.count("offset") == 0 || entries.count("length") == 0) {
    reader.fail(subject + "lacks one of location, offset and length");
  }
  const std::optional<std::uint64_t> bytes = tensor_bytes(*tensor);
  if (bytes != tensor->length) {
    reader.fail(subject + "has " + std::to_string(tensor->length) + " external bytes, expected " +
                (bytes ? std::to_string(*bytes) + " by its shape and type" : "a shape and type that can be stored"));
  }
}

}  // namespace

std::int64_t onnx_data_type(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
      return 1;
    case DType::kUInt8:
      return 2;
    case DType::kInt32:
      return 6;
    case DType::kInt64:
      return 7;
    case DType::kBool:
      return 9;
    case DType::kFloat16:
      return 10;
    case DType::kBFloat16:
      return 16;
  }
  return 0;
}

std::optional<DType> dtype_from_onnx(std::int64_t data_type) {
  for (const DType dtype : {DType::kFloat32, DType::kFloat16, DType::kBFloat16, DType::kInt64, DType::kInt32,
                            DType::kUInt8, DType::kBool}) {
    if (onnx_data_type(dtype) == data_type) return dtype;
  }
  return std::nullopt;
}

OnnxTensor read_onnx_tensor(std::string_view message, const std::string& subject) {
  ProtobufReader reader(message, subject);
  OnnxTensor tensor;
  Entries entries;
  std::uint64_t data_location = 0;
  bool has_raw_data = false;
  while (reader.next()) {
    switch (reader.field()) {
      case 1:
        reader.append_varints(&tensor.stored.dims, kMaxRank);
        break;
      case 2:
        tensor.stored.data_type = static_cast<std::int64_t>(reader.varint());
        break;
      case 8:
        tensor.stored.name = short_text(reader);
        break;
      case 9:
        has_raw_data = true;
        break;
      case 13:
        read_entry(reader.bytes(), subject, &entries);
        break;
      case 14:
        data_location = reader.varint();
        break;
      default:
        break;
    }
  }
  tensor.external = data_location == kExternal;
  if (tensor.external == entries.empty() || (tensor.external && has_raw_data)) {
    reader.fail("the tensor '" + tensor.stored.name + "' does not say clearly where its data lies");
  }
  if (tensor.external) take_entries(reader, entries, &tensor.stored);
  return tensor;
}

std::string short_text(const ProtobufReader& reader) {
  const std::string_view bytes = reader.bytes();
  if (bytes.size() > kMaxTextBytes) reader.fail("a name is longer than " + std::to_string(kMaxTextBytes) + " bytes");
  return std::string(bytes);
}

bool is_onnx_float(std::int64_t data_type) {
  const std::optional<DType> dtype = dtype_from_onnx(data_type);
  return dtype == DType::kFloat32 || dtype == DType::kFloat16 || dtype == DType::kBFloat16;
}

std::string value_name(std::string_view value_info, const std::string& subject) {
  ProtobufReader value(value_info, subject);
  std::string name;
  while (value.next()) {
    if (value.field() == 1) name = short_text(value);
  }
  return name;
}

}  // namespace vidrt
