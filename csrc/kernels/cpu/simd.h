// Vectors of fp32 of the width that this translation unit is compiled for (VIDRT_ISA, VIDRT_LANES), by the compiler's
// vector extension: one source for every instruction set. Everything here has internal linkage, and nothing of the
// standard library is instantiated: a function that the linker merged between units would run instructions that the
// processor may lack.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/half_types.h"

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#if !defined(VIDRT_ISA) || !defined(VIDRT_LANES)
#error "compile with -DVIDRT_ISA=name -DVIDRT_LANES=number"
#endif

namespace vidrt::kernels {
namespace {

constexpr int kLanes = VIDRT_LANES;

typedef float Vec __attribute__((vector_size(4 * kLanes)));
typedef std::int32_t IntVec __attribute__((vector_size(4 * kLanes)));
typedef std::uint32_t UIntVec __attribute__((vector_size(4 * kLanes)));
typedef std::uint16_t HalfVec __attribute__((vector_size(2 * kLanes)));
// The same in memory: aligned as one element.
typedef float LooseVec __attribute__((vector_size(4 * kLanes), aligned(4), may_alias));
typedef std::uint16_t LooseHalfVec __attribute__((vector_size(2 * kLanes), aligned(2), may_alias));

inline Vec zeros() { return Vec{}; }
inline Vec broadcast(float value) { return value - Vec{}; }

/// Have a loaded value stay in its register: compilers load again for every use, since an instruction can take one
/// operand from memory, but the loads are what limits the kernels.
inline void keep(Vec& v) {
#if defined(__AVX512F__)
  asm("" : "+v"(v));
#elif defined(__x86_64__)
  asm("" : "+x"(v));
#elif defined(__aarch64__)
  asm("" : "+w"(v));
#endif
}
inline UIntVec as_bits(Vec v) { return reinterpret_cast<UIntVec>(v); }
inline Vec as_floats(UIntVec v) { return reinterpret_cast<Vec>(v); }
inline Vec larger(Vec a, Vec b) { return a > b ? a : b; }
inline Vec smaller(Vec a, Vec b) { return a < b ? a : b; }

inline Vec load(const float* p) { return *reinterpret_cast<const LooseVec*>(p); }
inline void store(float* p, Vec v) { *reinterpret_cast<LooseVec*>(p) = v; }

inline UIntVec load_halves(const void* p) {
  return __builtin_convertvector(*static_cast<const LooseHalfVec*>(p), UIntVec);
}
inline void store_halves(void* p, UIntVec v) { *static_cast<LooseHalfVec*>(p) = __builtin_convertvector(v, HalfVec); }

inline Vec load(const BFloat16* p) { return as_floats(load_halves(p) << 16); }

inline void store(BFloat16* p, Vec v) {
  const UIntVec bits = as_bits(v);
  const UIntVec rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  store_halves(p, v == v ? rounded : (bits >> 16) | 0x40u);
}

// Binary16 as to_float and to_float16 of half_types.h do it.
inline Vec load(const Float16* p) {
  const UIntVec half = load_halves(p);
  const UIntVec sign = (half & 0x8000u) << 16;
  const UIntVec magnitude = half & 0x7fffu;
  // Moves the exponent's bias by a product, which also makes subnormals normal.
  const Vec scaled = as_floats(magnitude << 13) * 0x1p112f;
  const UIntVec special = (magnitude << 13) | 0x7f800000u;  // infinity, not a number
  return as_floats((magnitude >= 0x7c00u ? special : as_bits(scaled)) | sign);
}

inline void store(Float16* p, Vec v) {
  const UIntVec bits = as_bits(v);
  const UIntVec sign = (bits >> 16) & 0x8000u;
  const UIntVec magnitude = bits & 0x7fffffffu;
  const UIntVec normal = (magnitude + 0xfffu + ((magnitude >> 13) & 1u) - 0x38000000u) >> 13;
  const UIntVec subnormal = as_bits(as_floats(magnitude) + 0.5f) - 0x3f000000u;
  UIntVec half = magnitude < 0x38800000u ? subnormal : normal;
  half = magnitude >= 0x477ff000u ? UIntVec{} + 0x7c00u : half;
  half = magnitude > 0x7f800000u ? UIntVec{} + 0x7e00u : half;
  store_halves(p, half | sign);
}

/// Load the first `count` elements, fewer than a vector, and zeros after them.
template <typename T>
inline Vec load_some(const T* p, int count) {
  T buffer[kLanes] = {};
  for (int i = 0; i < count; ++i) buffer[i] = p[i];
  return load(buffer);
}

/// Store the first `count` elements, fewer than a vector.
template <typename T>
inline void store_some(T* p, Vec v, int count) {
  T buffer[kLanes];
  store(buffer, v);
  for (int i = 0; i < count; ++i) p[i] = buffer[i];
}

#if defined(__AVX512F__)
template <>
inline Vec load_some(const float* p, int count) {
  return reinterpret_cast<Vec>(_mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << count) - 1), p));
}
template <>
inline void store_some(float* p, Vec v, int count) {
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << count) - 1), reinterpret_cast<__m512>(v));
}
#elif defined(__AVX2__)
inline __m256i first(int count) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
template <>
inline Vec load_some(const float* p, int count) {
  return reinterpret_cast<Vec>(_mm256_maskload_ps(p, first(count)));
}
template <>
inline void store_some(float* p, Vec v, int count) {
  _mm256_maskstore_ps(p, first(count), reinterpret_cast<__m256>(v));
}
#endif

}  // namespace
}  // namespace vidrt::kernels
