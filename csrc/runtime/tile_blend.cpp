#include "runtime/tile_blend.h"

#include <cstdint>

namespace vidrt {

void blend_tile(const TileBlend& blend) {
  const Shape& whole = blend.frames.shape;
  const Shape& part = blend.tile.shape;
  for (std::int64_t channel = 0; channel < 3; ++channel) {
    for (std::int64_t frame = 0; frame < blend.count; ++frame) {
      const std::int64_t from = (channel * part[2] + blend.first + frame) * part[3];
      const std::int64_t to = (channel * whole[2] + frame) * whole[3] + blend.top;
      for (std::int64_t y = 0; y < part[3]; ++y) {
        const float* values = blend.tile.as<float>() + (from + y) * part[4];
        float* sums = blend.frames.as<float>() + (to + y) * whole[4] + blend.left;
        for (std::int64_t x = 0; x < part[4]; ++x) sums[x] += blend.rows[y] * blend.columns[x] * values[x];
      }
    }
  }
}

}  // namespace vidrt
