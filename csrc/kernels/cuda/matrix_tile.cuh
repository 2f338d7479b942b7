// Parts of matrices in shared memory, and their product in the registers of a warp.
#pragma once

#include "kernels/cuda/vector.cuh"

namespace vidrt::kernels::cuda {

/// Rows of contiguous elements.
template <typename T>
struct Matrix {
  const T* data;
  std::int64_t rows;
  std::int64_t columns;
  bool has_chunks;  // every row begins, and ends, at a multiple of 16 bytes
};

/// Begin to copy a part of a matrix; what lies outside of it is zeros. All threads of the block, which has kThreads,
/// come here.
template <int kThreads, int kRows, int kColumns, int kPitch, typename T>
__device__ __forceinline__ void copy_matrix(const Matrix<T>& matrix, std::int64_t row, std::int64_t column, T* shared) {
  const int thread = static_cast<int>(threadIdx.x);
  if (matrix.has_chunks) {
    constexpr int kRowChunks = kColumns / kChunk<T>;
#pragma unroll 1
    for (int i = thread; i < kRows * kRowChunks; i += kThreads) {
      const int r = i / kRowChunks;
      const int c = i % kRowChunks * kChunk<T>;
      const bool exists = row + r < matrix.rows && column + c < matrix.columns;
      const T* from = exists ? matrix.data + (row + r) * matrix.columns + column + c : matrix.data;
      copy_async(shared + r * kPitch + c, from, exists);
    }
    return;
  }
#pragma unroll 1
  for (int i = thread; i < kRows * kColumns; i += kThreads) {
    const int r = i / kColumns;
    const int c = i % kColumns;
    const bool exists = row + r < matrix.rows && column + c < matrix.columns;
    const T value = exists ? load_global<T>(matrix.data + (row + r) * matrix.columns + column + c) : T{};
    store_shared(shared + r * kPitch + c, value);
  }
}

/// A product of 32x32 sums, spread over the lanes of a warp as the tensor cores' m16n8k16 does it (PTX ISA, "Matrix
/// fragments for mma.m16n8k16"): of sub-tile (i, j), 16 rows by 8 columns, lane 4*g + q has rows g and g + 8, columns
/// 2*q and 2*q + 1.
struct WarpProduct {
  static constexpr int kRowTiles = 2;
  static constexpr int kColumnTiles = 4;
  static constexpr int kSums = kRowTiles * kColumnTiles * 4;

  /// Of sum `s`: row and column in the warp's 32x32.
  static __device__ __forceinline__ int row_of(int s, int lane) {
    return s / (kColumnTiles * 4) * 16 + s / 2 % 2 * 8 + lane / 4;
  }
  static __device__ __forceinline__ int column_of(int s, int lane) {
    return s / 4 % kColumnTiles * 8 + lane % 4 * 2 + s % 2;
  }
};

/// sums += A * B over kDepth. `a` has the warp's 32 rows, depth along the row. `b` has the depth along its 32 rows, or,
/// where it is transposed, as many rows as the depth and 32 columns.
template <int kDepth, int kPitchA, int kPitchB, bool kTransposed>
__device__ __forceinline__ void multiply(const float* a, const float* b, int lane, float (&sums)[WarpProduct::kSums]) {
#pragma unroll 4
  for (int k = 0; k < kDepth; ++k) {
    float rows[4];
    float columns[8];
#pragma unroll
    for (int i = 0; i < 4; ++i) rows[i] = load_shared<float>(a + (i * 8 + lane / 4) * kPitchA + k);
#pragma unroll
    for (int j = 0; j < 8; ++j) {
      const int column = j / 2 * 8 + lane % 4 * 2 + j % 2;
      columns[j] = load_shared<float>(kTransposed ? b + k * kPitchB + column : b + column * kPitchB + k);
    }
#pragma unroll
    for (int s = 0; s < WarpProduct::kSums; ++s) {
      const int row = s / 16 * 2 + s / 2 % 2;
      const int column = s / 4 % 4 * 2 + s % 2;
      sums[s] = fmaf(rows[row], columns[column], sums[s]);
    }
  }
}

/// The same on the tensor cores.
template <int kDepth, int kPitchA, int kPitchB, bool kTransposed, typename T>
__device__ __forceinline__ void multiply(const T* a, const T* b, int lane, float (&sums)[WarpProduct::kSums]) {
  using Pair = Vector<T, 2>;
#pragma unroll
  for (int k = 0; k < kDepth; k += 16) {
    const int depth = k + lane % 4 * 2;
    Pair rows[WarpProduct::kRowTiles][4];
    Pair columns[WarpProduct::kColumnTiles][2];
#pragma unroll
    for (int i = 0; i < WarpProduct::kRowTiles; ++i) {
#pragma unroll
      for (int r = 0; r < 4; ++r) {
        rows[i][r] = load_shared<Pair>(a + (i * 16 + r % 2 * 8 + lane / 4) * kPitchA + depth + r / 2 * 8);
      }
    }
#pragma unroll
    for (int j = 0; j < WarpProduct::kColumnTiles; ++j) {
      const int column = j * 8 + lane / 4;
#pragma unroll
      for (int r = 0; r < 2; ++r) {
        if constexpr (kTransposed) {
          const T* pair = b + (depth + r * 8) * kPitchB + column;
          columns[j][r] = {load_shared<T>(pair), load_shared<T>(pair + kPitchB)};
        } else {
          columns[j][r] = load_shared<Pair>(b + column * kPitchB + depth + r * 8);
        }
      }
    }
    multiply_fragments(rows, columns, sums);
  }
}

}  // namespace vidrt::kernels::cuda
