// Frames in tiles: where each lies, and with what weights neighbours are blended where they overlap.
#pragma once

#include <vector>

#include "vidrt/bundle.h"
#include "vidrt/options.h"
#include "vidrt/plan.h"

namespace vidrt {

/// One axis of a frame, in latents, under tiles of one size that lie as evenly as whole latents allow.
struct TileAxis {
  int size = 1;
  int tile = 1;
  int count = 1;

  /// The first latent of a tile: 0 for the first, size - tile for the last.
  int start(int index) const;
  /// Latents that every pair of neighbours has in common at least; 0 for a single tile.
  int least_overlap() const;
  /// What a tile's pixels count for, (tile * ratio), with `ratio` pixels a latent. At every pixel the weights of all
  /// tiles sum to one, but for the rounding to float; where two overlap they are linear ramps.
  std::vector<float> weights(int index, int ratio) const;
};

/// The fewest tiles that cover `size`, none more than `stride` behind the one before; one where `tile` is the size.
/// 0 < stride < tile <= size.
TileAxis cover(int size, int tile, int stride);

/// The tiles of a plan's frames, counted along rows.
struct TileGrid {
  TileAxis rows;
  TileAxis columns;
  int ratio = 1;  // pixels of a latent

  int count() const { return rows.count * columns.count; }
};

TileGrid tile_grid(const GenerationPlan& plan);

/// A frame as one tile.
PlannedTiles whole_frame(int height, int width);

/// The tiles of frames of (height, width) pixels where they are decoded in tiles. Throws InvalidArgument for a mode
/// that there is none of, and for sizes that the bundle does not take: what, got, expected, nearest.
PlannedTiles resolve_tiles(const Manifest& manifest, const VaeTiling& tiling, int height, int width);

}  // namespace vidrt
