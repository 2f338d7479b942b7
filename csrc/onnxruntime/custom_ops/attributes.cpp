#include "onnxruntime/custom_ops/attributes.h"

#include <cstring>
#include <stdexcept>

#include "onnxruntime/custom_ops/ort_call.h"

namespace vidrt::custom_ops {
namespace {

[[noreturn]] void refuse_type(const char* name, const char* expected) {
  throw std::invalid_argument("attribute " + std::string(name) + ": got a value of another type, expected " + expected +
                              ".");
}

constexpr const char* kText = "a string";
constexpr const char* kNumbers = "a list of integers";

void read_axes(const AttributeReader& reader, const char* name, std::array<std::int64_t, 3>* axes) {
  const std::optional<std::vector<std::int64_t>> values = reader.numbers(name);
  if (!values) return;
  if (values->size() != axes->size()) {
    throw std::invalid_argument("attribute " + std::string(name) + ": got " + std::to_string(values->size()) +
                                " integers, expected 3 (time, height, width).");
  }
  for (std::size_t axis = 0; axis < axes->size(); ++axis) (*axes)[axis] = (*values)[axis];
}

}  // namespace

bool KernelAttributes::exists(const char* name) const {
  // ONNX Runtime cannot be asked whether there is an attribute, only for one of a type.
  std::size_t size = 0;
  float number = 0;
  return succeeded(api_, api_.KernelInfoGetAttributeArray_int64(info_, name, nullptr, &size)) ||
         succeeded(api_, api_.KernelInfoGetAttributeArray_float(info_, name, nullptr, &size)) ||
         succeeded(api_, api_.KernelInfoGetAttribute_string(info_, name, nullptr, &size)) ||
         succeeded(api_, api_.KernelInfoGetAttribute_float(info_, name, &number));
}

std::optional<std::string> KernelAttributes::text(const char* name) const {
  std::size_t size = 0;
  if (!succeeded(api_, api_.KernelInfoGetAttribute_string(info_, name, nullptr, &size))) {
    if (exists(name)) refuse_type(name, kText);
    return std::nullopt;
  }
  std::string value(size, '\0');  // with the zero at the end
  require(api_, api_.KernelInfoGetAttribute_string(info_, name, value.data(), &size));
  value.resize(size - 1);
  return value;
}

std::optional<std::vector<std::int64_t>> KernelAttributes::numbers(const char* name) const {
  std::size_t size = 0;
  if (!succeeded(api_, api_.KernelInfoGetAttributeArray_int64(info_, name, nullptr, &size))) {
    if (exists(name)) refuse_type(name, kNumbers);
    return std::nullopt;
  }
  std::vector<std::int64_t> values(size);
  // An attribute of another type may read as an empty list.
  if (size == 0) return values;
  require(api_, api_.KernelInfoGetAttributeArray_int64(info_, name, values.data(), &size));
  return values;
}

std::optional<std::vector<char>> ShapeAttributes::bytes(const char* name, OrtOpAttrType type) const {
  const OrtOpAttr* attribute = nullptr;
  if (!succeeded(api_, api_.ShapeInferContext_GetAttribute(context_, name, &attribute)) || attribute == nullptr) {
    return std::nullopt;
  }
  // The first call fails where there is anything to read, and says how much.
  std::size_t size = 0;
  if (succeeded(api_, api_.ReadOpAttr(attribute, type, nullptr, 0, &size))) return std::vector<char>();
  std::vector<char> value(size);
  require(api_, api_.ReadOpAttr(attribute, type, value.data(), value.size(), &size));
  return value;
}

std::optional<std::string> ShapeAttributes::text(const char* name) const {
  std::optional<std::vector<char>> value = bytes(name, ORT_OP_ATTR_STRING);
  if (!value) return std::nullopt;
  // Versions of ONNX Runtime differ in whether they add a zero at the end.
  if (!value->empty() && value->back() == '\0') value->pop_back();
  return std::string(value->begin(), value->end());
}

std::optional<std::vector<std::int64_t>> ShapeAttributes::numbers(const char* name) const {
  const std::optional<std::vector<char>> value = bytes(name, ORT_OP_ATTR_INTS);
  if (!value) return std::nullopt;
  std::vector<std::int64_t> numbers(value->size() / sizeof(std::int64_t));
  if (!numbers.empty()) std::memcpy(numbers.data(), value->data(), numbers.size() * sizeof(std::int64_t));
  return numbers;
}

kernels::DepthwiseConv3dAttributes read_attributes(const AttributeReader& reader) {
  kernels::DepthwiseConv3dAttributes attributes;
  read_axes(reader, "strides", &attributes.strides);
  read_axes(reader, "dilations", &attributes.dilations);
  if (const auto text = reader.text("temporal_padding")) {
    attributes.temporal_padding = kernels::parse_temporal_padding(*text);
  }
  if (const auto text = reader.text("temporal_pad_mode")) {
    attributes.temporal_pad_mode = kernels::parse_pad_mode("temporal_pad_mode", *text);
  }
  if (const auto text = reader.text("spatial_padding")) {
    attributes.spatial_padding = kernels::parse_spatial_padding(*text);
  }
  if (const auto text = reader.text("spatial_pad_mode")) {
    attributes.spatial_pad_mode = kernels::parse_pad_mode("spatial_pad_mode", *text);
  }
  if (const auto text = reader.text("activation")) {
    attributes.activation = kernels::parse_activation("activation", *text);
  }
  if (const auto text = reader.text("data_layout")) attributes.data_layout = kernels::parse_data_layout(*text);
  return attributes;
}

kernels::Activation read_output_activation(const AttributeReader& reader) {
  const std::optional<std::string> text = reader.text("output_activation");
  return text ? kernels::parse_activation("output_activation", *text) : kernels::Activation::kNone;
}

}  // namespace vidrt::custom_ops
