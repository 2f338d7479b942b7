#include "kernels/cuda/alignment.h"
#include "kernels/loop/chunk.cuh"
#include "kernels/loop/loop_kernels.h"

namespace vidrt::kernels {
namespace loop {

template <int kWidth>
__global__ void __launch_bounds__(kThreads) fill(float* values, std::int64_t count, float value) {
  const Chunk<kWidth> chunk = chunk_at<kWidth>(thread_in_grid(), count);
  if (chunk.count > 0) chunk.write(values, cuda::splat<float, kWidth>(value));
}

template <int kWidth>
cudaError_t launch_fill(float* values, std::int64_t count, float value, cudaStream_t stream) {
  const std::uint32_t blocks = blocks_for((count + kWidth - 1) / kWidth);
  return cuda::launch(fill<kWidth>, {blocks, kThreads, 0}, stream, values, count, value);
}

}  // namespace loop

CudaError loop_fill_cuda(float* values, std::int64_t count, float value, CudaStream stream) {
  if (count == 0) return cudaSuccess;
  return cuda::is_aligned(values, sizeof(loop::Wide)) ? loop::launch_fill<4>(values, count, value, stream)
                                                      : loop::launch_fill<1>(values, count, value, stream);
}

}  // namespace vidrt::kernels
