// Numbers as sums of bfloat16 terms, in the order in which tiles hold them.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/conv3d_types.h"

namespace vidrt::kernels::amx {
namespace {

/// 32 numbers.
struct Floats32 {
  __m512 low;
  __m512 high;
};

inline __m512 widen(__m256i bfloat16) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bfloat16), 16));
}

/// The first `kTerms` bfloat16 terms of 32 numbers: each is what the ones before lack, rounded to the nearest. What is
/// beyond bfloat16's range becomes infinite, and with more than one term not a number.
template <int kTerms>
inline void split(Floats32 numbers, __m512i* terms) {
  for (int i = 0; i < kTerms; ++i) {
    terms[i] = reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(numbers.high, numbers.low));
    if (i + 1 == kTerms) break;
    numbers.low = _mm512_sub_ps(numbers.low, widen(_mm512_castsi512_si256(terms[i])));
    numbers.high = _mm512_sub_ps(numbers.high, widen(_mm512_extracti64x4_epi64(terms[i], 1)));
  }
}

/// The first lanes, for counts of 0 and less none.
inline __mmask16 first(std::int64_t count) {
  return count >= 16 ? static_cast<__mmask16>(0xffffU) : static_cast<__mmask16>((1U << (count < 0 ? 0 : count)) - 1U);
}

/// Up to 16 numbers of a type, then zeros.
template <ElementType kType>
inline __m512 load16(const void* data, std::int64_t offset, std::int64_t count) {
  const __mmask16 mask = first(count);
  if constexpr (kType == ElementType::kFloat32) {
    return _mm512_maskz_loadu_ps(mask, static_cast<const float*>(data) + offset);
  } else {
    const __m256i bits = _mm256_maskz_loadu_epi16(mask, static_cast<const std::uint16_t*>(data) + offset);
    return kType == ElementType::kFloat16 ? _mm512_cvtph_ps(bits) : widen(bits);
  }
}

/// 16 rows of 16 double words become 16 columns.
inline void transpose(__m512i* rows) {
  __m512i pairs[16];
  for (int i = 0; i < 16; i += 2) {
    pairs[i] = _mm512_unpacklo_epi32(rows[i], rows[i + 1]);
    pairs[i + 1] = _mm512_unpackhi_epi32(rows[i], rows[i + 1]);
  }
  __m512i fours[16];
  for (int i = 0; i < 16; i += 4) {
    fours[i] = _mm512_unpacklo_epi64(pairs[i], pairs[i + 2]);
    fours[i + 1] = _mm512_unpackhi_epi64(pairs[i], pairs[i + 2]);
    fours[i + 2] = _mm512_unpacklo_epi64(pairs[i + 1], pairs[i + 3]);
    fours[i + 3] = _mm512_unpackhi_epi64(pairs[i + 1], pairs[i + 3]);
  }
  for (int i = 0; i < 4; ++i) {
    const __m512i even_low = _mm512_shuffle_i32x4(fours[i], fours[i + 4], 0x88);
    const __m512i odd_low = _mm512_shuffle_i32x4(fours[i], fours[i + 4], 0xdd);
    const __m512i even_high = _mm512_shuffle_i32x4(fours[i + 8], fours[i + 12], 0x88);
    const __m512i odd_high = _mm512_shuffle_i32x4(fours[i + 8], fours[i + 12], 0xdd);
    rows[i] = _mm512_shuffle_i32x4(even_low, even_high, 0x88);
    rows[i + 8] = _mm512_shuffle_i32x4(even_low, even_high, 0xdd);
    rows[i + 4] = _mm512_shuffle_i32x4(odd_low, odd_high, 0x88);
    rows[i + 12] = _mm512_shuffle_i32x4(odd_low, odd_high, 0xdd);
  }
}

/// Two times 16 bfloat16, one after the other, become 16 pairs of one of each.
inline __m512i interleave(__m512i halves) {
  alignas(64) static constexpr std::uint16_t kOrder[32] = {0,  16, 1,  17, 2,  18, 3,  19, 4,  20, 5,
                                                           21, 6,  22, 7,  23, 8,  24, 9,  25, 10, 26,
                                                           11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
  return _mm512_permutexvar_epi16(_mm512_load_si512(kOrder), halves);
}

}  // namespace
}  // namespace vidrt::kernels::amx
