#include "runtime/vae_tiling.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

#include "runtime/limit_check.h"
#include "vidrt/errors.h"

namespace vidrt {
namespace {

constexpr int kDefaultTile = 256;         // pixels, as in diffusers
constexpr std::int64_t kMaxTiles = 4096;  // of a frame: more are a mistake, each with caches of its own

// How much tile `index` and those behind it count for at a pixel: from 0 to 1 across what it shares with the tile
// before. As ramps of later tiles begin and end later, differences of neighbouring ones are weights: none is below 0,
// they sum to one, and a tile's are 0 outside of it, however many tiles overlap.
double rise(const TileAxis& axis, int index, int ratio, int pixel) {
  if (index == 0) return 1.0;
  if (index == axis.count) return 0.0;
  const double begin = axis.start(index) * ratio;
  const double end = (axis.start(index - 1) + axis.tile) * ratio;
  return std::clamp((pixel + 0.5 - begin) / (end - begin), 0.0, 1.0);
}

// One axis of the options: what its two fields are called, what they hold, and the frame that they are for.
struct AxisWish {
  std::string name;  // "height" | "width"
  int tile;
  int stride;
  const Limit& limit;
  int frame;
};

int check_stride(const AxisWish& wish, int ratio) {
  if (wish.stride == 0) return std::max(wish.tile * 3 / 4 / ratio, 1) * ratio;
  if (wish.stride >= ratio && wish.stride < wish.tile && wish.stride % ratio == 0) return wish.stride;
  const int most = wish.tile - ratio;
  const int below = std::clamp(wish.stride / ratio * ratio, ratio, std::max(most, ratio));
  throw InvalidArgument("tile_sample_stride_" + wish.name + " must be " + std::to_string(ratio) + " to " +
                        std::to_string(most) + " in steps of " + std::to_string(ratio) + ", less than the tile's " +
                        std::to_string(wish.tile) + " so that tiles overlap, got " + std::to_string(wish.stride) +
                        "; nearest valid: " + std::to_string(below) + ".");
}

TileAxis resolve_axis(AxisWish wish, int ratio) {
  if (wish.tile == 0) {
    wish.tile = valid_at_most(wish.limit, kDefaultTile);
  } else {
    check_limit("tile_sample_min_" + wish.name, wish.limit, wish.tile);
  }
  const int stride = check_stride(wish, ratio);
  // A tile of one latent has no room for an overlap.
  if (wish.tile >= wish.frame || stride >= wish.tile) return {wish.frame / ratio, wish.frame / ratio, 1};
  return cover(wish.frame / ratio, wish.tile / ratio, stride / ratio);
}

void check_mode(const std::string& mode) {
  if (mode == "auto" || mode == "on" || mode == "off") return;
  throw InvalidArgument("vae_tiling must be auto, on or off, got '" + mode + "'.");
}

// The first size that was given, or one of 0 where none was.
std::pair<std::string, int> given_size(const VaeTiling& tiling) {
  const std::pair<const char*, int> sizes[] = {{"tile_sample_min_height", tiling.tile_sample_min_height},
                                               {"tile_sample_min_width", tiling.tile_sample_min_width},
                                               {"tile_sample_stride_height", tiling.tile_sample_stride_height},
                                               {"tile_sample_stride_width", tiling.tile_sample_stride_width}};
  for (const auto& size : sizes) {
    if (size.second != 0) return size;
  }
  return {"", 0};
}

}  // namespace

int TileAxis::start(int index) const {
  return count == 1 ? 0 : static_cast<int>(std::int64_t{size - tile} * index / (count - 1));
}

int TileAxis::least_overlap() const {
  int least = count == 1 ? 0 : tile;
  for (int i = 1; i < count; ++i) least = std::min(least, start(i - 1) + tile - start(i));
  return least;
}

std::vector<float> TileAxis::weights(int index, int ratio) const {
  std::vector<float> weights(static_cast<std::size_t>(tile) * static_cast<std::size_t>(ratio));
  int pixel = start(index) * ratio;
  for (float& weight : weights) {
    weight = static_cast<float>(rise(*this, index, ratio, pixel) - rise(*this, index + 1, ratio, pixel));
    ++pixel;
  }
  return weights;
}

TileAxis cover(int size, int tile, int stride) { return {size, tile, (size - tile + stride - 1) / stride + 1}; }

TileGrid tile_grid(const GenerationPlan& plan) {
  const int ratio = plan.height / plan.latent_height;
  return {{plan.latent_height, plan.tiles.height / ratio, plan.tiles.rows},
          {plan.latent_width, plan.tiles.width / ratio, plan.tiles.columns},
          ratio};
}

PlannedTiles whole_frame(int height, int width) { return {1, 1, height, width, 0, 0}; }

PlannedTiles resolve_tiles(const Manifest& manifest, const VaeTiling& tiling, int height, int width) {
  check_mode(tiling.mode);
  const auto [name, size] = given_size(tiling);
  if (size != 0 && tiling.mode == "off") {
    throw InvalidArgument(name + " is " + std::to_string(size) +
                          ", but has no effect with vae_tiling off; set vae_tiling to on or auto, or leave it out.");
  }
  const int ratio = manifest.vae.spatial_ratio;
  const TileAxis rows = resolve_axis(
      {"height", tiling.tile_sample_min_height, tiling.tile_sample_stride_height, manifest.height, height}, ratio);
  const TileAxis columns = resolve_axis(
      {"width", tiling.tile_sample_min_width, tiling.tile_sample_stride_width, manifest.width, width}, ratio);
  if (std::int64_t{rows.count} * columns.count > kMaxTiles) {
    if (size == 0 && tiling.mode != "on") return whole_frame(height, width);
    throw InvalidArgument("tiles of " + std::to_string(columns.tile * ratio) + "x" + std::to_string(rows.tile * ratio) +
                          " pixels are " + std::to_string(rows.count) + "x" + std::to_string(columns.count) +
                          " a frame, at most " + std::to_string(kMaxTiles) +
                          " are expected; raise tile_sample_min_height, tile_sample_min_width or the strides.");
  }
  return {rows.count,
          columns.count,
          rows.tile * ratio,
          columns.tile * ratio,
          rows.least_overlap() * ratio,
          columns.least_overlap() * ratio};
}

}  // namespace vidrt
