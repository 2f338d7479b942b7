// 3x3 convolutions over the frames of a clip, summed: a causal convolution over three frames is three of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/conv3d_types.h"

namespace vidrt::kernels {

/// How far apart frames of a tensor lie, and channels of a frame; rows and columns lie one behind another.
struct FrameSteps {
  std::int64_t frame = 0;
  std::int64_t channel = 0;
};

/// One of the convolutions that are summed.
struct ConvSumTerm {
  const float* x = nullptr;  // (N, C, H, W)
  FrameSteps x_steps;
  const void* weight = nullptr;  // (O, C, 3, 3), read as it is stored
  std::int64_t channels = 0;     // C
  std::int64_t weight_step = 9;  // from a filter of 3x3 to the next: more, where others lie between them
};

/// Strides and dilations of one, one group, and a border of zeros: Y is as large as X.
struct ConvSumProblem {
  std::int64_t frames = 0;  // N
  std::int64_t height = 0;
  std::int64_t width = 0;
  std::int64_t outputs = 0;                         // O
  ElementType weight_type = ElementType::kFloat32;  // of every term
  std::vector<std::int64_t> channels;               // of the terms
};

struct ConvSumTensors {
  std::vector<ConvSumTerm> terms;
  const float* bias = nullptr;  // (O), or null
  float* y = nullptr;           // (N, O, H, W)
  FrameSteps y_steps;
  void* scratch = nullptr;  // needs no alignment
};

}  // namespace vidrt::kernels
