// Looks for infinities and NaN. Every warp writes a verdict of its own: without atomics, in any order, the same result.
#include "kernels/cuda/alignment.h"
#include "kernels/loop/chunk.cuh"
#include "kernels/loop/loop_kernels.h"

namespace vidrt::kernels {
namespace loop {

constexpr int kWarp = 32;

/// A float's exponent is all ones.
__device__ __forceinline__ bool is_not_finite(float value) {
  std::uint32_t bits;
  __builtin_memcpy(&bits, &value, sizeof(bits));
  return (bits & 0x7f800000u) == 0x7f800000u;
}

template <int kWidth>
__global__ void __launch_bounds__(kThreads)
    find_not_finite(const float* values, std::int64_t count, std::uint32_t* verdicts) {
  std::uint32_t found = 0;
  const std::int64_t chunks = (count + kWidth - 1) / kWidth;
  for (std::int64_t i = thread_in_grid(); i < chunks; i += std::int64_t{gridDim.x} * kThreads) {
    const auto part = chunk_at<kWidth>(i, count).read(values);
#pragma unroll
    for (int j = 0; j < kWidth; ++j) found |= is_not_finite(part.values[j]) ? 1u : 0u;
  }
#pragma unroll
  for (unsigned mask = kWarp / 2; mask > 0; mask /= 2) found |= cuda::shuffle_xor(found, mask);
  if (threadIdx.x % kWarp == 0) cuda::store_global(verdicts + thread_in_grid() / kWarp, found);
}

}  // namespace loop

CudaError loop_find_not_finite_cuda(const float* values, std::int64_t count, std::uint32_t* verdicts,
                                    CudaStream stream) {
  using namespace loop;
  const auto blocks = static_cast<std::uint32_t>(loop_verdicts(count) / (kThreads / kWarp));
  const cuda::LaunchShape shape = {blocks, kThreads, 0};
  return cuda::is_aligned(values, sizeof(Wide))
             ? cuda::launch(find_not_finite<4>, shape, stream, values, count, verdicts)
             : cuda::launch(find_not_finite<1>, shape, stream, values, count, verdicts);
}

}  // namespace vidrt::kernels
