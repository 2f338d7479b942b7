// device.cuh as nvcc compiles it. Needs compute capability 8.0, for asynchronous copies and bfloat16.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <cstdint>
#include <type_traits>

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

/// Read 2, 4, 8 or 16 bytes that this thread alone of the launch writes, if any.
template <typename V>
__device__ __forceinline__ V load_own(const void* address) {
  return as_bits_of<V>(*static_cast<const typename WordOf<sizeof(V)>::Type*>(address));
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

/// The value of the lane whose number differs in the bits of `lane_mask`. All lanes of the warp come here.
template <typename V>
__device__ __forceinline__ V shuffle_xor(V value, unsigned lane_mask) {
  return __shfl_xor_sync(0xffffffffu, value, static_cast<int>(lane_mask));
}

/// d += a * b on the tensor cores: 16x16 by 16x8, sums in fp32.
__device__ __forceinline__ void multiply_fragment(Float16, const std::uint32_t (&a)[4], const std::uint32_t (&b)[2],
                                                  float* d) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, "
      "%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
__device__ __forceinline__ void multiply_fragment(BFloat16, const std::uint32_t (&a)[4], const std::uint32_t (&b)[2],
                                                  float* d) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, "
      "%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

/// sums += rows * columns, all pairs of fragments (PTX ISA, "Matrix fragments for mma.m16n8k16"): the four sums of pair
/// (i, j) are from 4 * (i * kColumns + j) on. All lanes of the warp come here.
template <typename Pair, int kRows, int kColumns>
__device__ __forceinline__ void multiply_fragments(const Pair (&rows)[kRows][4], const Pair (&columns)[kColumns][2],
                                                   float (&sums)[kRows * kColumns * 4]) {
  using Element = std::remove_cv_t<std::remove_reference_t<decltype(rows[0][0].values[0])>>;
#pragma unroll
  for (int i = 0; i < kRows; ++i) {
    const std::uint32_t a[4] = {as_bits_of<std::uint32_t>(rows[i][0]), as_bits_of<std::uint32_t>(rows[i][1]),
                                as_bits_of<std::uint32_t>(rows[i][2]), as_bits_of<std::uint32_t>(rows[i][3])};
#pragma unroll
    for (int j = 0; j < kColumns; ++j) {
      const std::uint32_t b[2] = {as_bits_of<std::uint32_t>(columns[j][0]), as_bits_of<std::uint32_t>(columns[j][1])};
      multiply_fragment(Element{}, a, b, sums + 4 * (i * kColumns + j));
    }
  }
}

__device__ __forceinline__ float widen(float value) { return value; }
__device__ __forceinline__ float widen(Float16 value) { return __half2float(__ushort_as_half(value.bits)); }
__device__ __forceinline__ float widen(BFloat16 value) {
  return __uint_as_float(static_cast<std::uint32_t>(value.bits) << 16);
}

/// One rounding each: the compiler joins no product and sum to a fused one.
__device__ __forceinline__ float product(float a, float b) { return __fmul_rn(a, b); }
__device__ __forceinline__ float sum(float a, float b) { return __fadd_rn(a, b); }

/// The nearest whole number, ties to even.
__device__ __forceinline__ int nearest(float value) { return __float2int_rn(value); }

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
