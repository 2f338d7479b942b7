// Sums of absolute differences, each lane's in the order of its elements: the host sums lanes the same way, so that a
// decision by such a sum is the same on every device.
#include "kernels/loop/chunk.cuh"
#include "kernels/loop/loop_kernels.h"

namespace vidrt::kernels {
namespace loop {

template <bool kHasOther>
__global__ void __launch_bounds__(kThreads)
    sum_differences(const float* values, const float* others, std::int64_t count, float* sums) {
  float total = 0.0f;
  for (std::int64_t i = thread_in_grid(); i < count; i += kLoopLanes) {
    float difference = cuda::load_global<float>(values + i);
    if constexpr (kHasOther) difference = cuda::sum(difference, -cuda::load_global<float>(others + i));
    total = cuda::sum(total, difference < 0.0f ? -difference : difference);
  }
  cuda::store_global(sums + thread_in_grid(), total);
}

}  // namespace loop

CudaError loop_sum_differences_cuda(const float* values, const float* others, std::int64_t count, float* sums,
                                    CudaStream stream) {
  using namespace loop;
  static_assert(kLoopLanes % kThreads == 0);
  const cuda::LaunchShape shape = {kLoopLanes / kThreads, kThreads, 0};
  return others == nullptr ? cuda::launch(sum_differences<false>, shape, stream, values, others, count, sums)
                           : cuda::launch(sum_differences<true>, shape, stream, values, others, count, sums);
}

}  // namespace vidrt::kernels
