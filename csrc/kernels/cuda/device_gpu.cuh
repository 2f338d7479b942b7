// device.cuh as nvcc compiles it. Needs compute capability 8.0, for asynchronous copies and bfloat16.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <cstdint>

#include "kernels/cuda/launch_shape.h"
#include "kernels/half_types.h"

namespace vidrt::kernels::cuda {

/// Queue `kernel` on `stream`.
template <typename... P>
cudaError_t launch(void (*kernel)(P...), const LaunchShape& shape, cudaStream_t stream, const P&... parameters) {
  cudaLaunchConfig_t config = {};
  config.gridDim = dim3(shape.blocks);
  config.blockDim = dim3(shape.threads);
  config.dynamicSmemBytes = shape.shared_bytes;
  config.stream = stream;
  return cudaLaunchKernelEx(&config, kernel, parameters...);
}

// The word that one instruction moves.
template <int kBytes>
struct WordOf;
template <>
struct WordOf<2> {
  using Type = unsigned short;
};
template <>
struct WordOf<4> {
  using Type = unsigned int;
};
template <>
struct WordOf<8> {
  using Type = uint2;
};
template <>
struct WordOf<16> {
  using Type = uint4;
};

template <typename To, typename From>
__device__ __forceinline__ To as_bits_of(const From& from) {
  static_assert(sizeof(To) == sizeof(From), "one word");
  To to;
  __builtin_memcpy(&to, &from, sizeof(To));
  return to;
}

/// Read 2, 4, 8 or 16 bytes that no block of the launch writes.
template <typename V>
__device__ __forceinline__ V load_global(const void* address) {
  return as_bits_of<V>(__ldg(static_cast<const typename WordOf<sizeof(V)>::Type*>(address)));
}

template <typename V>
__device__ __forceinline__ void store_global(void* address, const V& value) {
  using Word = typename WordOf<sizeof(V)>::Type;
  *static_cast<Word*>(address) = as_bits_of<Word>(value);
}

/// The launch's shared memory, aligned to 16 bytes.
__device__ __forceinline__ unsigned char* shared_memory() {
  extern __shared__ uint4 vidrt_shared_memory[];
  return reinterpret_cast<unsigned char*>(vidrt_shared_memory);
}

template <typename V>
__device__ __forceinline__ V load_shared(const void* address) {
  return as_bits_of<V>(*static_cast<const typename WordOf<sizeof(V)>::Type*>(address));
}

template <typename V>
__device__ __forceinline__ void store_shared(void* address, const V& value) {
  using Word = typename WordOf<sizeof(V)>::Type;
  *static_cast<Word*>(address) = as_bits_of<Word>(value);
}

/// Begin to copy 16 bytes; where `from_memory` is false, zeros, and `global` is not read.
__device__ __forceinline__ void copy_async(void* shared, const void* global, bool from_memory) {
  const auto to = static_cast<std::uint32_t>(__cvta_generic_to_shared(shared));
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(global), "r"(from_memory ? 16 : 0)
               : "memory");
}

/// Copies begun since the last call are one group.
__device__ __forceinline__ void commit_copies() { asm volatile("cp.async.commit_group;" ::: "memory"); }

/// Wait for this thread's copies, but for the last kGroups groups.
template <int kGroups>
__device__ __forceinline__ void wait_for_copies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(kGroups) : "memory");
}

__device__ __forceinline__ void wait_for_block() { __syncthreads(); }

__device__ __forceinline__ float widen(float value) { return value; }
__device__ __forceinline__ float widen(Float16 value) { return __half2float(__ushort_as_half(value.bits)); }
__device__ __forceinline__ float widen(BFloat16 value) {
  return __uint_as_float(static_cast<std::uint32_t>(value.bits) << 16);
}

/// a / b within two units in the last place, 0 where b > 2^126: without the subroutine of an exact division.
__device__ __forceinline__ float divide(float a, float b) { return __fdividef(a, b); }

/// Round to the element type, to the nearest, ties to even.
template <typename T>
__device__ __forceinline__ T narrow(float value);
template <>
__device__ __forceinline__ float narrow<float>(float value) {
  return value;
}
template <>
__device__ __forceinline__ Float16 narrow<Float16>(float value) {
  return {__half_as_ushort(__float2half_rn(value))};
}
template <>
__device__ __forceinline__ BFloat16 narrow<BFloat16>(float value) {
  return {__bfloat16_as_ushort(__float2bfloat16_rn(value))};
}

}  // namespace vidrt::kernels::cuda
