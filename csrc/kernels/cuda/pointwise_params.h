// What the 1x1x1 convolution is told, and how it is cut into blocks.
#pragma once

#include <cstdint>

#include "kernels/conv3d_types.h"

namespace vidrt::kernels::cuda {

/// Outputs that a block computes. A warp computes 32 of them at 32 positions.
constexpr int kPointwiseOutputs = 64;
/// Parts of the operands in shared memory: one that is multiplied, the others on their way.
constexpr int kPointwiseStages = 3;
/// Of such a part, along the channels.
constexpr int kPointwiseDepthBytes = 64;

/// Y[p, o] = activation(sum over c of weight[o, c] * Z[p, c] + bias[o]) + residual[p, o], for every position p of every
/// sample. Channels last, all samples are one.
struct PointwiseParams {
  const void* z = nullptr;
  const void* weight = nullptr;  // (outputs, channels)
  const void* bias = nullptr;
  const void* residual = nullptr;
  void* y = nullptr;

  std::int64_t positions = 0;
  std::int64_t channels = 0;
  std::int64_t outputs = 0;
  std::int64_t position_tiles = 0;
  std::int64_t output_tiles = 0;
  // Whether 16 bytes of Z and of the weights, and two elements of Y and the residual, move as one word.
  bool reads_z_chunks = false;
  bool reads_weight_chunks = false;
  bool writes_pairs = false;
  Activation activation = Activation::kNone;
};

}  // namespace vidrt::kernels::cuda
