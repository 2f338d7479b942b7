// The cells of a box, dealt to the threads of a block.
#pragma once

#include "kernels/cuda/device.cuh"

namespace vidrt::kernels::cuda {

/// Visits (outer, middle, inner), inner fastest, neighbouring threads at neighbouring cells. Divides once, when it is
/// made, and not at each cell.
class Cells {
 public:
  __device__ __forceinline__ Cells(int outer, int middle, int inner)
      : outer_(outer),
        middle_(middle),
        inner_(inner),
        first_inner_(static_cast<int>(threadIdx.x) % inner),
        first_middle_(static_cast<int>(threadIdx.x) / inner % middle),
        first_outer_(static_cast<int>(threadIdx.x) / inner / middle),
        step_inner_(static_cast<int>(blockDim.x) % inner),
        step_middle_(static_cast<int>(blockDim.x) / inner % middle),
        step_outer_(static_cast<int>(blockDim.x) / inner / middle) {}

  template <typename F>
  __device__ __forceinline__ void visit(const F& cell) const {
    int inner = first_inner_;
    int middle = first_middle_;
    for (int outer = first_outer_; outer < outer_;) {
      cell(outer, middle, inner);
      inner += step_inner_;
      middle += step_middle_;
      outer += step_outer_;
      if (inner >= inner_) {
        inner -= inner_;
        ++middle;
      }
      if (middle >= middle_) {
        middle -= middle_;
        ++outer;
      }
    }
  }

 private:
  int outer_, middle_, inner_;
  int first_inner_, first_middle_, first_outer_;
  int step_inner_, step_middle_, step_outer_;
};

}  // namespace vidrt::kernels::cuda
