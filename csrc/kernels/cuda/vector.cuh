// A few elements that move as one word.
#pragma once

#include "kernels/cuda/device.cuh"

namespace vidrt::kernels::cuda {

template <typename T, int kCount>
struct alignas(sizeof(T) * kCount) Vector {
  T values[kCount];
};

/// Elements in 16 bytes, the widest word of an instruction: 8 halves, 4 floats.
template <typename T>
constexpr int kChunk = 16 / static_cast<int>(sizeof(T));

template <typename T, int kCount>
__device__ __forceinline__ Vector<T, kCount> splat(T value) {
  Vector<T, kCount> vector;
#pragma unroll
  for (int i = 0; i < kCount; ++i) vector.values[i] = value;
  return vector;
}

}  // namespace vidrt::kernels::cuda
