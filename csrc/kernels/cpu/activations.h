// Activation functions over vectors. Errors are below 3e-7 of the larger of 1 and the value.
#pragma once

#include "kernels/conv3d_types.h"
#include "kernels/cpu/simd.h"

namespace vidrt::kernels {
namespace {

// e^x: x = n log 2 + r with |r| <= log(2) / 2, and a polynomial in r (Cephes, expf.c: Moshier, 1992).
inline Vec exponential(Vec x) {
  x = smaller(larger(x, broadcast(-87.3f)), broadcast(88.0f));
  const Vec magic = broadcast(0x1.8p23f);  // adding it rounds to an integer, and leaves that in the low bits
  const Vec shifted = x * 1.44269504088896341f + magic;
  const Vec n = shifted - magic;
  const Vec r = x - n * 0.693359375f - n * -2.12194440e-4f;
  Vec p = broadcast(1.9875691500e-4f);
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  return as_floats(as_bits(p) + (as_bits(shifted) << 23));
}

inline Vec sigmoid(Vec x) { return 1.0f / (1.0f + exponential(-x)); }

// The error function by Abramowitz and Stegun, 1964, 7.1.26.
inline Vec error_function(Vec x) {
  const Vec magnitude = as_floats(as_bits(x) & 0x7fffffffu);
  const Vec t = 1.0f / (1.0f + 0.3275911f * magnitude);
  Vec p = broadcast(1.061405429f);
  p = p * t - 1.453152027f;
  p = p * t + 1.421413741f;
  p = p * t - 0.284496736f;
  p = p * t + 0.254829592f;
  const Vec value = 1.0f - p * t * exponential(-magnitude * magnitude);
  return as_floats(as_bits(value) | (as_bits(x) & 0x80000000u));
}

template <Activation kActivation>
inline Vec activate(Vec x) {
  switch (kActivation) {
    case Activation::kNone:
      return x;
    case Activation::kRelu:
      return x < 0.0f ? zeros() : x;  // not a number stays one
    case Activation::kSilu:
      return x * sigmoid(x);
    case Activation::kGelu:
      return 0.5f * x * (1.0f + error_function(x * 0.70710678118654752f));
    case Activation::kGeluTanh:
      // x/2 (1 + tanh(z)) = x sigmoid(2z).
      return x * sigmoid(1.5957691216057308f * (x + 0.044715f * x * x * x));
  }
  return x;
}

template <Activation kActivation>
inline void activate_each(Vec* values, int count) {
  for (int i = 0; i < count; ++i) values[i] = activate<kActivation>(values[i]);
}

// Not inlined: every kernel ends with it.
__attribute__((noinline)) void activate_in_memory(Vec* values, int count, Activation activation) {
  switch (activation) {
    case Activation::kNone:
      return;
    case Activation::kRelu:
      return activate_each<Activation::kRelu>(values, count);
    case Activation::kSilu:
      return activate_each<Activation::kSilu>(values, count);
    case Activation::kGelu:
      return activate_each<Activation::kGelu>(values, count);
    case Activation::kGeluTanh:
      return activate_each<Activation::kGeluTanh>(values, count);
  }
}

/// Applies the activation to a tile. Through a copy: sums whose address is taken would not stay in registers.
template <int kRows, int kVectors>
inline void activate_tile(Vec (&values)[kRows][kVectors], Activation activation) {
  if (activation == Activation::kNone) return;
  Vec copy[kRows][kVectors];
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVectors; ++v) copy[r][v] = values[r][v];
  }
  activate_in_memory(&copy[0][0], kRows * kVectors, activation);
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVectors; ++v) values[r][v] = copy[r][v];
  }
}

}  // namespace
}  // namespace vidrt::kernels
