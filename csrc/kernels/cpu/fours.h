// Four vectors of a row dealt out by fours, and back: numbers 0, 4, 8, ... to the first, 1, 5, 9, ... to the second.
#pragma once

#include "kernels/cpu/simd.h"

namespace vidrt::kernels {
namespace {

/// 4 * kLanes numbers of a row: the fours 0, 4, 8, ... to the first vector, 1, 5, 9, ... to the second.
[[gnu::always_inline]] inline void load_fours(const float* row, Vec (&v)[4]) {
  for (int i = 0; i < 4; ++i, row += 4) {
#if defined(__AVX512F__)
    __m512 fours = _mm512_castps128_ps512(_mm_loadu_ps(row));
    fours = _mm512_insertf32x4(fours, _mm_loadu_ps(row + 16), 1);
    fours = _mm512_insertf32x4(fours, _mm_loadu_ps(row + 32), 2);
    v[i] = reinterpret_cast<Vec>(_mm512_insertf32x4(fours, _mm_loadu_ps(row + 48), 3));
#elif defined(__AVX2__)
    const __m256 fours = _mm256_castps128_ps256(_mm_loadu_ps(row));
    v[i] = reinterpret_cast<Vec>(_mm256_insertf128_ps(fours, _mm_loadu_ps(row + 16), 1));
#else
    static_assert(kLanes == 4, "a vector is one four");
    v[i] = load(row);
#endif
  }
}

[[gnu::always_inline]] inline void store_fours(float* row, const Vec (&v)[4]) {
  for (int i = 0; i < 4; ++i, row += 4) {
#if defined(__AVX512F__)
    const __m512 fours = reinterpret_cast<__m512>(v[i]);
    _mm_storeu_ps(row, _mm512_castps512_ps128(fours));
    _mm_storeu_ps(row + 16, _mm512_extractf32x4_ps(fours, 1));
    _mm_storeu_ps(row + 32, _mm512_extractf32x4_ps(fours, 2));
    _mm_storeu_ps(row + 48, _mm512_extractf32x4_ps(fours, 3));
#elif defined(__AVX2__)
    const __m256 fours = reinterpret_cast<__m256>(v[i]);
    _mm_storeu_ps(row, _mm256_castps256_ps128(fours));
    _mm_storeu_ps(row + 16, _mm256_extractf128_ps(fours, 1));
#else
    store(row, v[i]);
#endif
  }
}

// Of every four: two numbers of `a` and of `b` in turn, or two of `a` and then two of `b`, from kFirst on.
#if defined(__clang__)
template <int kFirst>
inline Vec in_turn(Vec a, Vec b) {
  Vec result;
  for (int i = 0; i < kLanes; ++i) result[i] = (i % 2 == 0 ? a : b)[i / 4 * 4 + kFirst + i % 4 / 2];
  return result;
}
template <int kFirst>
inline Vec by_twos(Vec a, Vec b) {
  Vec result;
  for (int i = 0; i < kLanes; ++i) result[i] = (i % 4 < 2 ? a : b)[i / 4 * 4 + kFirst + i % 2];
  return result;
}
#else
template <int kFirst>
inline Vec in_turn(Vec a, Vec b) {
  IntVec order;
  for (int i = 0; i < kLanes; ++i) order[i] = (i % 2 == 0 ? 0 : kLanes) + i / 4 * 4 + kFirst + i % 4 / 2;
  return __builtin_shuffle(a, b, order);
}
template <int kFirst>
inline Vec by_twos(Vec a, Vec b) {
  IntVec order;
  for (int i = 0; i < kLanes; ++i) order[i] = (i % 4 < 2 ? 0 : kLanes) + i / 4 * 4 + kFirst + i % 2;
  return __builtin_shuffle(a, b, order);
}
#endif

/// Swap rows and columns of each 4x4 numbers: from fours of a row to what is dealt out by fours, and back.
[[gnu::always_inline]] inline void transpose_fours(Vec (&v)[4]) {
  const Vec first[2] = {in_turn<0>(v[0], v[1]), in_turn<0>(v[2], v[3])};
  const Vec last[2] = {in_turn<2>(v[0], v[1]), in_turn<2>(v[2], v[3])};
  v[0] = by_twos<0>(first[0], first[1]);
  v[1] = by_twos<2>(first[0], first[1]);
  v[2] = by_twos<0>(last[0], last[1]);
  v[3] = by_twos<2>(last[0], last[1]);
}

}  // namespace
}  // namespace vidrt::kernels
