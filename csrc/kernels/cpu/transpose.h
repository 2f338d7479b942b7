// Square blocks of channels and positions turned over, in registers.
#pragma once

#include "kernels/cpu/simd.h"

namespace vidrt::kernels {
namespace {

// Elements of both in turn: a0 b0 a1 b1 ... of their lower and of their upper halves.
#if defined(__clang__)
template <int kFirst>
inline Vec interleave(Vec a, Vec b) {
  Vec result;
  for (int i = 0; i < kLanes; ++i) result[i] = i % 2 == 0 ? a[kFirst + i / 2] : b[kFirst + i / 2];
  return result;
}
#else
template <int kFirst>
inline Vec interleave(Vec a, Vec b) {
  IntVec order;
  for (int i = 0; i < kLanes; ++i) order[i] = (i % 2 == 0 ? 0 : kLanes) + kFirst + i / 2;
  return __builtin_shuffle(a, b, order);
}
#endif

/// kLanes rows of kLanes elements. Every round deals the rows as a pack of cards; after log2(kLanes) they are columns.
inline void transpose(Vec (&rows)[kLanes]) {
  for (int round = 1; round < kLanes; round *= 2) {
    Vec dealt[kLanes];
#pragma GCC unroll 16
    for (int i = 0; i < kLanes / 2; ++i) {
      dealt[2 * i] = interleave<0>(rows[i], rows[i + kLanes / 2]);
      dealt[2 * i + 1] = interleave<kLanes / 2>(rows[i], rows[i + kLanes / 2]);
    }
#pragma GCC unroll 16
    for (int i = 0; i < kLanes; ++i) rows[i] = dealt[i];
  }
}

/// `positions` of `channels` channels (at most a vector), a channel `pitch` elements after the other, to a vector of
/// channels for each position. Missing channels are zeros.
template <typename T>
inline void channels_to_vectors(const T* from, std::int64_t pitch, int channels, std::int64_t positions, float* to) {
  for (std::int64_t at = 0; at < positions; at += kLanes) {
    const int count = positions - at < kLanes ? static_cast<int>(positions - at) : kLanes;
    Vec block[kLanes] = {};
    for (int c = 0; c < channels; ++c) {
      const T* row = from + c * pitch + at;
      block[c] = count == kLanes ? load(row) : load_some(row, count);
    }
    transpose(block);
    for (int i = 0; i < count; ++i) store(to + (at + i) * kLanes, block[i]);
  }
}

}  // namespace
}  // namespace vidrt::kernels
