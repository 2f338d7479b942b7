// What the sliding-window kernels are told.
#pragma once

#include "kernels/cuda/cells.h"
#include "kernels/cuda/window_layout.h"

namespace vidrt::kernels::cuda {

struct WindowParams {
  const void* x = nullptr;
  const void* weight = nullptr;
  const void* bias = nullptr;
  const void* residual = nullptr;
  const void* cache_in = nullptr;
  void* y = nullptr;
  void* cache_out = nullptr;

  WindowTile size;    // of X
  WindowTile y_size;  // of Y
  WindowTile
      tile;  // of what a block computes: frames of Y; rows and columns of X, where the windows have their centres
  WindowTile tiles;  // how many of them
  std::int32_t cache_frames = 0;
  std::int32_t frames_before = 0;  // of padding
  std::int32_t centre_row = 0;     // of Y's first row and column: 0, or half the filter where there is no padding
  std::int32_t centre_column = 0;
  bool replicates_frames = false;
  bool replicates_edges = false;
  // Whether 16 bytes of X and cache_in, of Y and the residual (channels last: a thread's channels) and of cache_out
  // move as one word.
  bool reads_chunks = false;
  bool writes_chunks = false;
  bool caches_chunks = false;
  Activation activation = Activation::kNone;
  // What the threads copy of a plane into shared memory, and of it into cache_out: words where the flags above say so,
  // else elements. NCTHW: (channel, row, column), NTHWC: (row, column, channel).
  Cells read_cells;
  Cells cache_cells;
};

}  // namespace vidrt::kernels::cuda
