#include "vidrt/tensor.h"

#include <array>
#include <limits>
#include <utility>

#include "vidrt/errors.h"

namespace vidrt {
namespace {

struct DTypeInfo {
  DType dtype;
  const char* name;
  std::size_t bytes;
};

constexpr std::array<DTypeInfo, 7> kDTypes{{{DType::kFloat32, "float32", 4},
                                            {DType::kFloat16, "float16", 2},
                                            {DType::kBFloat16, "bfloat16", 2},
                                            {DType::kInt64, "int64", 8},
                                            {DType::kInt32, "int32", 4},
                                            {DType::kUInt8, "uint8", 1},
                                            {DType::kBool, "bool", 1}}};

const DTypeInfo& info(DType dtype) { return kDTypes[static_cast<std::size_t>(dtype)]; }

}  // namespace

std::size_t dtype_bytes(DType dtype) { return info(dtype).bytes; }

const char* dtype_name(DType dtype) { return info(dtype).name; }

DType dtype_from_name(const std::string& name) {
  std::string known;
  for (const DTypeInfo& entry : kDTypes) {
    if (name == entry.name) return entry.dtype;
    known += known.empty() ? "" : ", ";
    known += entry.name;
  }
  throw InvalidArgument("unknown dtype '" + name + "'; expected one of: " + known + ".");
}

std::int64_t element_count(const Shape& shape) {
  std::int64_t count = 1;
  for (std::int64_t dim : shape) {
    if (dim < 0) throw InvalidArgument("shape " + shape_string(shape) + " has a negative dimension.");
    if (dim != 0 && count > std::numeric_limits<std::int64_t>::max() / dim) {
      throw InvalidArgument("shape " + shape_string(shape) + " has more elements than 63 bits can count.");
    }
    count *= dim;
  }
  return count;
}

std::string shape_string(const Shape& shape) {
  std::string text = "(";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  }
  return text + (shape.size() == 1 ? ",)" : ")");
}

}  // namespace vidrt
