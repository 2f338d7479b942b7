// What the general kernel is told.
#pragma once

#include <cstdint>

#include "kernels/conv3d_types.h"

namespace vidrt::kernels::cuda {

constexpr int kGeneralThreads = 128;

struct GeneralSize {
  std::int64_t channels = 0, frames = 0, rows = 0, columns = 0;
  bool is_channels_last = false;
};

struct GeneralParams {
  const void* x = nullptr;
  const void* weight = nullptr;
  const void* bias = nullptr;
  const void* residual = nullptr;
  const void* cache_in = nullptr;
  void* y = nullptr;
  void* cache_out = nullptr;

  GeneralSize x_size, y_size, cache;
  std::int64_t y_elements = 0;
  std::int64_t cache_elements = 0;  // 0: cache_out is not wanted
  std::int32_t kernel[3] = {};
  std::int32_t strides[3] = {};
  std::int32_t dilations[3] = {};
  std::int64_t pad_before[3] = {};
  bool replicates_frames = false;
  bool replicates_edges = false;
  Activation activation = Activation::kNone;
};

}  // namespace vidrt::kernels::cuda
