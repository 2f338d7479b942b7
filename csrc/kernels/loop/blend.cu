// A tile of frames added to whole frames, weighed: every pixel is read and written once, by one thread.
#include "kernels/cuda/alignment.h"
#include "kernels/loop/chunk.cuh"
#include "kernels/loop/loop_kernels.h"

namespace vidrt::kernels {
namespace loop {

/// kWidth pixels of a row of the tile, aligned on both sides.
template <int kWidth>
__global__ void __launch_bounds__(kThreads) blend(const __grid_constant__ LoopBlend p) {
  using Values = cuda::Vector<float, kWidth>;
  const std::int64_t chunks = p.tile_width / kWidth;
  const std::int64_t row = thread_in_grid() / chunks;
  const std::int64_t x = (thread_in_grid() - row * chunks) * kWidth;
  const std::int64_t plane = row / p.tile_height;
  const std::int64_t y = row - plane * p.tile_height;
  const std::int64_t channel = plane / p.count;
  const std::int64_t frame = plane - channel * p.count;
  if (channel >= 3) return;

  const float row_weight = cuda::load_global<float>(p.rows + y);
  const auto weights = cuda::load_global<Values>(p.columns + x);
  const auto values = cuda::load_global<Values>(
      p.tile + ((channel * p.tile_frames + p.first + frame) * p.tile_height + y) * p.tile_width + x);
  float* to = p.frames + ((channel * p.num_frames + frame) * p.height + p.top + y) * p.width + p.left + x;
  auto sums = cuda::load_own<Values>(to);
#pragma unroll
  for (int i = 0; i < kWidth; ++i) {
    const float weight = cuda::product(row_weight, weights.values[i]);
    sums.values[i] = cuda::sum(sums.values[i], cuda::product(weight, values.values[i]));
  }
  cuda::store_global(to, sums);
}

template <int kWidth>
cudaError_t launch_blend(const LoopBlend& p, cudaStream_t stream) {
  const std::uint32_t blocks = blocks_for(3 * p.count * p.tile_height * (p.tile_width / kWidth));
  return cuda::launch(blend<kWidth>, {blocks, kThreads, 0}, stream, p);
}

inline bool is_wide(const LoopBlend& p) {
  constexpr int kFloats = 4;
  for (const std::int64_t size : {p.width, p.tile_width, p.left}) {
    if (size % kFloats != 0) return false;
  }
  for (const void* array : {static_cast<const void*>(p.frames), static_cast<const void*>(p.tile),
                            static_cast<const void*>(p.columns)}) {
    if (!cuda::is_aligned(array, sizeof(Wide))) return false;
  }
  return true;
}

}  // namespace loop

CudaError loop_blend_cuda(const LoopBlend& blend, CudaStream stream) {
  if (blend.count == 0) return cudaSuccess;
  return loop::is_wide(blend) ? loop::launch_blend<4>(blend, stream) : loop::launch_blend<1>(blend, stream);
}

}  // namespace vidrt::kernels
