// Neighbouring floats of which each thread has a few: as one word, or one by one at an array's end.
#pragma once

#include "kernels/cuda/vector.cuh"

namespace vidrt::kernels::loop {

constexpr int kThreads = 256;

using Wide = cuda::Vector<float, 4>;

/// kWidth elements from `begin` on, of which only `count` exist. Words of kWidth floats are aligned.
template <int kWidth>
struct Chunk {
  using Values = cuda::Vector<float, kWidth>;

  std::int64_t begin;
  int count;

  __device__ __forceinline__ bool is_whole() const { return count == kWidth; }

  /// Elements that nobody writes in the launch.
  __device__ __forceinline__ Values read(const float* array) const {
    if (is_whole()) return cuda::load_global<Values>(array + begin);
    Values values = cuda::splat<float, kWidth>(0.0f);
#pragma unroll
    for (int i = 0; i < kWidth; ++i) {
      if (i < count) values.values[i] = cuda::load_global<float>(array + begin + i);
    }
    return values;
  }

  /// Elements that this thread writes.
  __device__ __forceinline__ Values read_own(const float* array) const {
    if (is_whole()) return cuda::load_own<Values>(array + begin);
    Values values = cuda::splat<float, kWidth>(0.0f);
#pragma unroll
    for (int i = 0; i < kWidth; ++i) {
      if (i < count) values.values[i] = cuda::load_own<float>(array + begin + i);
    }
    return values;
  }

  __device__ __forceinline__ void write(float* array, const Values& values) const {
    if (is_whole()) {
      cuda::store_global(array + begin, values);
      return;
    }
#pragma unroll
    for (int i = 0; i < kWidth; ++i) {
      if (i < count) cuda::store_global(array + begin + i, values.values[i]);
    }
  }
};

/// Chunk `index` of an array of `elements`; its count is 0 or less beyond the end.
template <int kWidth>
__device__ __forceinline__ Chunk<kWidth> chunk_at(std::int64_t index, std::int64_t elements) {
  const std::int64_t begin = index * kWidth;
  const std::int64_t left = elements - begin;
  return {begin, left < kWidth ? static_cast<int>(left < 0 ? 0 : left) : kWidth};
}

__device__ __forceinline__ std::int64_t thread_in_grid() {
  return static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
}

/// Blocks for a thread per chunk, or 0 where a grid cannot have so many.
inline std::uint32_t blocks_for(std::int64_t chunks) {
  const std::int64_t blocks = (chunks + kThreads - 1) / kThreads;
  return blocks > 0x7fffffff ? 0 : static_cast<std::uint32_t>(blocks);
}

}  // namespace vidrt::kernels::loop
