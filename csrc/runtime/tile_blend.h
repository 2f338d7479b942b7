// A tile's frames on their way into whole frames.
#pragma once

#include "vidrt/tensor.h"

namespace vidrt {

/// frames[c][i][top + y][left + x] += rows[y] * columns[x] * tile[c][first + i][y][x] for `count` frames i.
struct TileBlend {
  TensorView frames;               // (1,3,F,H,W) float32
  TensorView tile;                 // (1,3,f,h,w) float32
  const float* rows = nullptr;     // weights, (h)
  const float* columns = nullptr;  // (w)
  int first = 0, count = 0;
  int top = 0, left = 0;  // pixels
};

/// On the processor. Both products and the sum are each rounded on their own, from left to right, so that every device
/// gives the same bits.
void blend_tile(const TileBlend& blend);

}  // namespace vidrt
