// The product of matrices behind a 1x1x1 convolution, over what the depthwise kernel left in scratch.
#pragma once

#include "kernels/cpu/activations.h"
#include "kernels/cpu/separable_job.h"
#include "kernels/cpu/simd.h"

namespace vidrt::kernels {
namespace {

constexpr int kTileRows = static_cast<int>(kPanelRows);
constexpr int kTileVectors = 3;
// With 16 registers, eight rows of three vectors do not fit; half of them at a time do.
constexpr int kRowsAtOnce = kLanes == 8 ? kTileRows / 2 : kTileRows;

/// out(m,n) = sum over k of a(m,k) b(k,n): a(m,k) lies at a[m * a_row + k * a_step], b(k,n) at b[k * b_pitch + n].
struct Product {
  const float* a;
  std::int64_t a_row, a_step;
  const float* b;
  std::int64_t b_pitch;
  std::int64_t terms;
};

/// kRowsAtOnce rows by kVectors vectors of a product.
template <int kVectors>
inline void multiply(Vec (&sums)[kRowsAtOnce][kVectors], const Product& product) {
  const float* a = product.a;
  const float* b = product.b;
  for (std::int64_t k = 0; k < product.terms; ++k, a += product.a_step, b += product.b_pitch) {
    Vec right[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) right[v] = load(b + v * kLanes);
#pragma GCC unroll 8
    for (int m = 0; m < kRowsAtOnce; ++m) {
      const Vec left = broadcast(a[m * product.a_row]);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) sums[m][v] += left * right[v];
    }
  }
}

/// Results and what is added to them, (m,n) at m * pitch + n; `count` of the rows and `width` of the columns exist.
template <typename T>
struct Outputs {
  T* y;
  const T* residual;  // or null
  std::int64_t pitch;
};

template <typename T>
inline void write_vector(Vec value, const Outputs<T>& outputs, std::int64_t at, int count) {
  if (count >= kLanes) {
    if (outputs.residual != nullptr) value += load(outputs.residual + at);
    store(outputs.y + at, value);
  } else {
    if (outputs.residual != nullptr) value += load_some(outputs.residual + at, count);
    store_some(outputs.y + at, value, count);
  }
}

/// The biases of a tile: one for each row, or one for each column.
struct Biases {
  const float* rows;     // or null
  const float* columns;  // or null
};

/// `rows` rows (at most kTileRows) by `columns` columns (at most kVectors vectors) of outputs.
template <int kVectors, typename T>
inline void output_tile(const Product& product, const Biases& biases, Activation activation, const Outputs<T>& outputs,
                        std::int64_t rows, std::int64_t columns) {
  for (std::int64_t row = 0; row < rows; row += kRowsAtOnce) {
    Product part = product;
    part.a += row * product.a_row;
    Vec sums[kRowsAtOnce][kVectors];
    for (int m = 0; m < kRowsAtOnce; ++m) {
      for (int v = 0; v < kVectors; ++v) {
        sums[m][v] = biases.rows != nullptr ? broadcast(biases.rows[row + m]) : load(biases.columns + v * kLanes);
      }
    }
    multiply(sums, part);
    activate_tile(sums, activation);
    for (int m = 0; m < kRowsAtOnce && row + m < rows; ++m) {
      for (int v = 0; v < kVectors && v * kLanes < columns; ++v) {
        const std::int64_t left = columns - v * kLanes;
        write_vector(sums[m][v], outputs, (row + m) * outputs.pitch + v * kLanes,
                     left < kLanes ? static_cast<int>(left) : kLanes);
      }
    }
  }
}

/// `rows` rows (at most kTileRows) by all columns.
template <typename T>
inline void output_rows(Product product, Biases biases, Activation activation, Outputs<T> outputs, std::int64_t rows,
                        std::int64_t columns) {
  const auto advance = [&](std::int64_t by) {
    product.b += by;
    outputs.y += by;
    if (outputs.residual != nullptr) outputs.residual += by;
    if (biases.columns != nullptr) biases.columns += by;
    columns -= by;
  };
  for (; columns >= kTileVectors * kLanes; advance(kTileVectors * kLanes)) {
    output_tile<kTileVectors>(product, biases, activation, outputs, rows, kTileVectors * kLanes);
  }
  if (columns > 2 * kLanes) return output_tile<3>(product, biases, activation, outputs, rows, columns);
  if (columns > kLanes) return output_tile<2>(product, biases, activation, outputs, rows, columns);
  if (columns > 0) output_tile<1>(product, biases, activation, outputs, rows, columns);
}

}  // namespace
}  // namespace vidrt::kernels
