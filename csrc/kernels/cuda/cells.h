// A box of cells to be dealt to the threads of a block; made on the host.
#pragma once

#include <cstdint>

namespace vidrt::kernels::cuda {

/// n / divisor as a multiplication, for 0 <= n < 2^16 and 1 <= divisor < 2^16 (Granlund and Montgomery, 1994, section
/// 4: with a multiplier of 2^32/divisor, rounded up, the error stays under 2^16 * 2^16 / 2^32).
struct SmallDivisor {
  std::int32_t divisor = 1;
  std::uint32_t multiplier = 0;  // 0: the divisor is 1

  SmallDivisor() = default;
  explicit SmallDivisor(std::int32_t value)
      : divisor(value),
        multiplier(value == 1
                       ? 0
                       : static_cast<std::uint32_t>((std::uint64_t{1} << 32) / static_cast<std::uint64_t>(value)) + 1) {
  }
};

/// Cells (outer, middle, inner), inner fastest, and by how much a thread moves on to its next cell.
struct Cells {
  std::int32_t outer = 1;
  SmallDivisor middle, inner;
  std::int32_t step_outer = 0, step_middle = 0, step_inner = 0;

  Cells() = default;
  Cells(std::int32_t outer_cells, std::int32_t middle_cells, std::int32_t inner_cells, std::int32_t threads)
      : outer(outer_cells),
        middle(middle_cells),
        inner(inner_cells),
        step_outer(threads / inner_cells / middle_cells),
        step_middle(threads / inner_cells % middle_cells),
        step_inner(threads % inner_cells) {}
};

}  // namespace vidrt::kernels::cuda
