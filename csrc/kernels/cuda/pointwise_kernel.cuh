// The 1x1x1 convolution as a product of matrices.
#pragma once

#include "kernels/cuda/activation.cuh"
#include "kernels/cuda/matrix_tile.cuh"
#include "kernels/cuda/pointwise_params.h"

namespace vidrt::kernels::cuda {

/// How a block's product lies. Channels last, its rows are positions and Z's rows have the depth in them; else its rows
/// are outputs, and Z has the depth down its rows.
template <typename T, DataLayout kLayout, int kPositionWarps>
struct PointwiseTile {
  static constexpr bool kIsPlanar = kLayout == DataLayout::kNCTHW;
  static constexpr int kPositions = 32 * kPositionWarps;
  static constexpr int kThreads = kPositions / 32 * (kPointwiseOutputs / 32) * 32;
  static constexpr int kDepth = kPointwiseDepthBytes / static_cast<int>(sizeof(T));
  // A chunk more than the row: neighbouring rows then begin in different banks.
  static constexpr int kDeepPitch = kDepth + kChunk<T>;
  static constexpr int kWidePitch = kPositions + kChunk<T>;
  static constexpr int kWeightElements = kPointwiseOutputs * kDeepPitch;
  static constexpr int kZElements = kIsPlanar ? kDepth * kWidePitch : kPositions * kDeepPitch;
  static constexpr int kSharedBytes = kPointwiseStages * (kWeightElements + kZElements) * static_cast<int>(sizeof(T));
};

/// One pair of neighbours in memory of the result.
template <typename T>
__device__ __forceinline__ void store_pair(const PointwiseParams& p, std::int64_t offset, bool has_second,
                                           const float* values) {
  T* y = static_cast<T*>(p.y) + offset;
  const T* residual = p.residual == nullptr ? nullptr : static_cast<const T*>(p.residual) + offset;
  if (p.writes_pairs && has_second) {
    auto more = splat<T, 2>(T{});
    if (residual != nullptr) more = load_global<Vector<T, 2>>(residual);
    const Vector<T, 2> pair = {narrow<T>(values[0] + widen(more.values[0])),
                               narrow<T>(values[1] + widen(more.values[1]))};
    store_global(y, pair);
    return;
  }
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    if (i == 1 && !has_second) continue;
    const float more = residual == nullptr ? 0.0f : widen(load_global<T>(residual + i));
    store_global(y + i, narrow<T>(values[i] + more));
  }
}

template <typename T, DataLayout kLayout, int kPositionWarps>
__global__ void __launch_bounds__(PointwiseTile<T, kLayout, kPositionWarps>::kThreads)
    pointwise_product(const __grid_constant__ PointwiseParams p) {
  using Tile = PointwiseTile<T, kLayout, kPositionWarps>;
  auto* ring = reinterpret_cast<T*>(shared_memory());
  constexpr int kStageElements = Tile::kWeightElements + Tile::kZElements;

  // Blocks of the same positions follow each other: Z comes from memory once and then from the cache.
  std::int64_t block = blockIdx.x;
  const std::int64_t output = block % p.output_tiles * kPointwiseOutputs;
  block /= p.output_tiles;
  const std::int64_t position = block % p.position_tiles * Tile::kPositions;
  const std::int64_t sample = block / p.position_tiles;

  const T* z = static_cast<const T*>(p.z) + sample * p.channels * p.positions;
  const Matrix<T> weights = {static_cast<const T*>(p.weight), p.outputs, p.channels, p.reads_weight_chunks};
  const Matrix<T> input = Tile::kIsPlanar ? Matrix<T>{z, p.channels, p.positions, p.reads_z_chunks}
                                          : Matrix<T>{z, p.positions, p.channels, p.reads_z_chunks};
  const auto steps = static_cast<int>((p.channels + Tile::kDepth - 1) / Tile::kDepth);
  const auto prefetch = [&](int step) {
    if (step < steps) {
      T* part = ring + step % kPointwiseStages * kStageElements;
      const std::int64_t channel = static_cast<std::int64_t>(step) * Tile::kDepth;
      copy_matrix<Tile::kThreads, kPointwiseOutputs, Tile::kDepth, Tile::kDeepPitch>(weights, output, channel, part);
      T* z_part = part + Tile::kWeightElements;
      if constexpr (Tile::kIsPlanar) {
        copy_matrix<Tile::kThreads, Tile::kDepth, Tile::kPositions, Tile::kWidePitch>(input, channel, position, z_part);
      } else {
        copy_matrix<Tile::kThreads, Tile::kPositions, Tile::kDepth, Tile::kDeepPitch>(input, position, channel, z_part);
      }
    }
    commit_copies();
  };

  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const int warp_output = warp % 2 * 32;
  const int warp_position = warp / 2 * 32;
  float sums[WarpProduct::kSums] = {};
#pragma unroll 1
  for (int step = 0; step < kPointwiseStages - 1; ++step) prefetch(step);
#pragma unroll 1
  for (int step = 0; step < steps; ++step) {
    wait_for_copies<kPointwiseStages - 2>();
    wait_for_block();
    prefetch(step + kPointwiseStages - 1);
    const T* weight_part = ring + step % kPointwiseStages * kStageElements + warp_output * Tile::kDeepPitch;
    const T* z_part = ring + step % kPointwiseStages * kStageElements + Tile::kWeightElements;
    if constexpr (Tile::kIsPlanar) {
      multiply<Tile::kDepth, Tile::kDeepPitch, Tile::kWidePitch, true>(weight_part, z_part + warp_position, lane, sums);
    } else {
      multiply<Tile::kDepth, Tile::kDeepPitch, Tile::kDeepPitch, false>(z_part + warp_position * Tile::kDeepPitch,
                                                                        weight_part, lane, sums);
    }
  }

  const auto output_of = [&](int s) {
    return output + warp_output + (Tile::kIsPlanar ? WarpProduct::row_of(s, lane) : WarpProduct::column_of(s, lane));
  };
  const auto position_of = [&](int s) {
    return position + warp_position +
           (Tile::kIsPlanar ? WarpProduct::column_of(s, lane) : WarpProduct::row_of(s, lane));
  };
  if (p.bias != nullptr) {
#pragma unroll
    for (int s = 0; s < WarpProduct::kSums; ++s) {
      if (output_of(s) < p.outputs) sums[s] += widen(load_global<T>(static_cast<const T*>(p.bias) + output_of(s)));
    }
  }
  activate(p.activation, sums);
#pragma unroll
  for (int s = 0; s < WarpProduct::kSums; s += 2) {
    if (output_of(s) >= p.outputs || position_of(s) >= p.positions) continue;
    const std::int64_t offset = Tile::kIsPlanar ? (sample * p.outputs + output_of(s)) * p.positions + position_of(s)
                                                : position_of(s) * p.outputs + output_of(s);
    const bool has_second = Tile::kIsPlanar ? position_of(s + 1) < p.positions : output_of(s + 1) < p.outputs;
    store_pair<T>(p, offset, has_second, sums + s);
  }
}

}  // namespace vidrt::kernels::cuda
