// Dense, contiguous, row-major tensors: dtypes, shapes and non-owning views.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "vidrt/api.h"

namespace vidrt {

enum class DType { kFloat32, kFloat16, kBFloat16, kInt64, kInt32, kUInt8, kBool };

/// Bytes of one element.
VIDRT_API std::size_t dtype_bytes(DType dtype);
/// The manifest's word for a dtype: "float32", "float16", "bfloat16", "int64", "int32", "uint8", "bool".
VIDRT_API const char* dtype_name(DType dtype);
/// The inverse of dtype_name. Throws InvalidArgument for an unknown word.
VIDRT_API DType dtype_from_name(const std::string& name);

using Shape = std::vector<std::int64_t>;

/// Number of elements. Throws InvalidArgument when a dimension is negative or the product overflows 63 bits.
VIDRT_API std::int64_t element_count(const Shape& shape);
/// "(1, 8, 5, 8, 8)", as Python prints a tuple.
VIDRT_API std::string shape_string(const Shape& shape);

/// A view of memory that somebody else owns and keeps alive. Never frees, never copies.
struct TensorView {
  void* data = nullptr;
  DType dtype = DType::kFloat32;
  Shape shape;

  std::int64_t elements() const { return element_count(shape); }
  std::size_t bytes() const { return static_cast<std::size_t>(elements()) * dtype_bytes(dtype); }
  template <typename T>
  T* as() const {
    return static_cast<T*>(data);
  }
};

}  // namespace vidrt
