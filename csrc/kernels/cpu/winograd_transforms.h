// The transforms of Winograd's minimal filtering F(4, 3) in one axis, at the points 0, 5/8, -5/8, 3/2, -3/2 and
// infinity. They follow from Toom's and Cook's construction (Lavin and Gray, "Fast Algorithms for Convolutional Neural
// Networks", 2016; Barabasz and others, "Error Analysis and Improving the Accuracy of Winograd Convolution", 2020).
// With the usual points 0, 1, -1, 2, -2 the error is 2.4 times as large.
#pragma once

#include "kernels/cpu/winograd_job.h"

namespace vidrt::kernels {
namespace {

constexpr float kA = 0.625F;
constexpr float kB = 1.5F;
constexpr float kA2 = kA * kA;
constexpr float kB2 = kB * kB;

/// Six numbers of X.
template <typename V>
inline void transform_input6(const V (&d)[6], V (&out)[6]) {
  const V even_a = d[4] - kB2 * d[2];
  const V odd_a = kA * (d[3] - kB2 * d[1]);
  const V even_b = d[4] - kA2 * d[2];
  const V odd_b = kB * (d[3] - kA2 * d[1]);
  out[0] = d[4] - (kA2 + kB2) * d[2] + (kA2 * kB2) * d[0];
  out[1] = even_a + odd_a;
  out[2] = even_a - odd_a;
  out[3] = even_b + odd_b;
  out[4] = even_b - odd_b;
  out[5] = d[5] - (kA2 + kB2) * d[3] + (kA2 * kB2) * d[1];
}

/// Three numbers of a filter.
template <typename V>
inline void transform_weight3(const V& g0, const V& g1, const V& g2, V (&out)[6]) {
  constexpr float kOfZero = 1 / (kA2 * kB2);
  constexpr float kOfA = 1 / (2 * kA2 * (kA2 - kB2));
  constexpr float kOfB = 1 / (2 * kB2 * (kB2 - kA2));
  const V even_a = kOfA * g0 + (kOfA * kA2) * g2;
  const V odd_a = (kOfA * kA) * g1;
  const V even_b = kOfB * g0 + (kOfB * kB2) * g2;
  const V odd_b = (kOfB * kB) * g1;
  out[0] = kOfZero * g0;
  out[1] = even_a + odd_a;
  out[2] = even_a - odd_a;
  out[3] = even_b + odd_b;
  out[4] = even_b - odd_b;
  out[5] = g2;
}

/// Six products to four results.
template <typename V>
inline void transform_output4(const V (&m)[6], V (&out)[4]) {
  const V sum_a = m[1] + m[2];
  const V difference_a = m[1] - m[2];
  const V sum_b = m[3] + m[4];
  const V difference_b = m[3] - m[4];
  out[0] = m[0] + sum_a + sum_b;
  out[1] = kA * difference_a + kB * difference_b;
  out[2] = kA2 * sum_a + kB2 * sum_b;
  out[3] = kA * kA2 * difference_a + kB * kB2 * difference_b + m[5];
}

}  // namespace
}  // namespace vidrt::kernels
