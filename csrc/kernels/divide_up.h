// For whoever cuts work into pieces.
#pragma once

#include <cstdint>

namespace vidrt::kernels {

/// a / b, rounded up; a is not negative, b positive.
constexpr std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

}  // namespace vidrt::kernels
