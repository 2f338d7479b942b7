// The cells of a box, dealt to the threads of a block.
#pragma once

#include "kernels/cuda/cells.h"
#include "kernels/cuda/device.cuh"

namespace vidrt::kernels::cuda {

__device__ __forceinline__ int divide(int number, const SmallDivisor& by) {
  return by.multiplier == 0 ? number : static_cast<int>(__umulhi(static_cast<unsigned>(number), by.multiplier));
}

/// Neighbouring threads visit neighbouring cells. `thread` is threadIdx.x.
template <typename F>
__device__ __forceinline__ void visit(const Cells& cells, int thread, const F& cell) {
  const int lines = divide(thread, cells.inner);
  int outer = divide(lines, cells.middle);
  int middle = lines - outer * cells.middle.divisor;
  int inner = thread - lines * cells.inner.divisor;
#pragma unroll 1
  while (outer < cells.outer) {
    cell(outer, middle, inner);
    inner += cells.step_inner;
    middle += cells.step_middle;
    outer += cells.step_outer;
    if (inner >= cells.inner.divisor) {
      inner -= cells.inner.divisor;
      ++middle;
    }
    if (middle >= cells.middle.divisor) {
      middle -= cells.middle.divisor;
      ++outer;
    }
  }
}

}  // namespace vidrt::kernels::cuda
