// Weights as they are stored, and the numbers that they stand for.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/conv3d_types.h"
#include "kernels/half_types.h"

namespace vidrt::kernels::testing {

struct StoredWeight {
  std::vector<std::uint8_t> bytes;
  std::vector<float> values;  // what the bytes stand for

  /// One number more, rounded to the type.
  void add(ElementType type, float value) {
    if (type == ElementType::kFloat32) add_as<float>(value);
    if (type == ElementType::kFloat16) add_as<Float16>(value);
    if (type == ElementType::kBFloat16) add_as<BFloat16>(value);
  }

 private:
  template <typename T>
  void add_as(float value) {
    const T stored = from_float<T>(value);
    const auto* const begin = reinterpret_cast<const std::uint8_t*>(&stored);
    bytes.insert(bytes.end(), begin, begin + sizeof(T));
    values.push_back(to_float(stored));
  }
};

}  // namespace vidrt::kernels::testing
