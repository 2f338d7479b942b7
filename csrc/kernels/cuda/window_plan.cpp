#include "kernels/cuda/window_plan.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace vidrt::kernels::cuda {
namespace {

// Fewer blocks than this leave processors of a large device idle.
constexpr double kBusyBlocks = 128;
constexpr double kMostBlocks = std::numeric_limits<std::int32_t>::max();
// Sizes that leave room in 32 bits for a tile and a filter beyond them.
constexpr std::int64_t kMostAlongAxis = std::int64_t{1} << 30;

constexpr std::array<std::int64_t, 3> kFilters[] = {{3, 3, 3}, {5, 5, 5}, {3, 1, 1}, {1, 3, 3}};
constexpr std::int32_t kParts[] = {1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64};

std::int64_t parts(std::int64_t size, std::int64_t part) { return (size + part - 1) / part; }

// A part of about `wished`, such that all parts are alike.
std::int32_t even_part(std::int64_t size, std::int64_t wished) {
  return static_cast<std::int32_t>(parts(size, parts(size, std::min(size, wished))));
}

class Planner {
 public:
  explicit Planner(const DepthwiseConv3dProblem& problem)
      : size_(problem.x), y_frames_(problem.y.t), layout_(window_layout(problem)) {}

  std::optional<WindowPlan> plan() {
    const int step = layout_.thread_columns();
    for (const std::int32_t groups : kParts) {
      for (const std::int32_t rows : kParts) {
        WindowTile tile;
        tile.columns = even_part(parts(size_.w, step), groups) * step;
        tile.rows = even_part(size_.h, rows);
        if (layout_.is_planar()) {
          for (tile.channels = 1; tile.channels <= 16 && tile.channels < 2 * size_.c; tile.channels *= 2)
            consider(tile);
        } else {
          for (int bytes = 32; bytes <= 128; bytes *= 2) {
            tile.channels = bytes / layout_.element_bytes;
            consider(tile);
          }
        }
      }
    }
    return best_;
  }

 private:
  // The tile with as few cuts in time as leave the device busy.
  void consider(WindowTile tile) {
    if (layout_.threads(tile) > layout_.most_threads() || layout_.shared_bytes(tile) > kWindowSharedBytes) return;
    for (std::int64_t cuts = 1; cuts <= y_frames_; cuts *= 2) {
      tile.frames = static_cast<std::int32_t>(parts(y_frames_, cuts));
      const double cost = cost_of(tile);
      if (cost < best_cost_ && blocks_of(tile) <= kMostBlocks) {
        best_cost_ = cost;
        best_ = as_plan(tile);
      }
      if (blocks_of(tile) >= kBusyBlocks) return;
    }
  }

  WindowTile tiles_of(const WindowTile& tile) const {
    return {static_cast<std::int32_t>(parts(size_.c, tile.channels)),
            static_cast<std::int32_t>(parts(y_frames_, tile.frames)),
            static_cast<std::int32_t>(parts(size_.h, tile.rows)),
            static_cast<std::int32_t>(parts(size_.w, tile.columns))};
  }

  double blocks_of(const WindowTile& tile) const {
    const WindowTile tiles = tiles_of(tile);
    return static_cast<double>(size_.n) * tiles.channels * tiles.frames * tiles.rows * tiles.columns;
  }

  // Time relative to a pass that only reads and writes every element once.
  double cost_of(const WindowTile& tile) const {
    const WindowTile tiles = tiles_of(tile);
    const auto overlapped = [](std::int64_t size, std::int32_t cuts, double overlap) {
      return 1.0 + (cuts - 1) * overlap / static_cast<double>(size);
    };
    // A cut through the rows of a plane costs whole sectors on both its sides, and half of one more where it is not
    // aligned to them; channels last, every position begins a sector.
    const double sector = 32.0 / layout_.element_bytes;
    const double read_overlap = !layout_.is_planar() ? layout_.kw - 1 : layout_.kw == 1 ? sector : 3 * sector;
    const double written_overlap = layout_.is_planar() ? sector : 0;
    const double read = overlapped(y_frames_, tiles.frames, layout_.kt - 1) *
                        overlapped(size_.h, tiles.rows, layout_.kh - 1) *
                        overlapped(size_.w, tiles.columns, read_overlap);
    const double written = overlapped(size_.w, tiles.columns, written_overlap);
    const double blocks = blocks_of(tile);
    const int threads = (layout_.threads(tile) + 31) / 32 * 32;
    const double computed = blocks * threads * layout_.thread_outputs() * tile.frames;
    const double waste = computed / (static_cast<double>(size_.n) * size_.c * y_frames_ * size_.h * size_.w);
    // A hundred taps take about as long as their input; few channels together, or few threads, cost a little.
    const double arithmetic = layout_.taps() / 100.0;
    const double narrow = layout_.is_planar() ? 0.0 : 0.02 * (128.0 / (tile.channels * layout_.element_bytes) - 1);
    const double small = 0.02 * (std::max(128.0 / threads, 1.0) - 1);
    return ((read + written) / 2 + arithmetic * waste + narrow + small) / std::min(1.0, blocks / kBusyBlocks);
  }

  WindowPlan as_plan(const WindowTile& tile) const {
    WindowPlan plan;
    plan.tile = tile;
    plan.tiles = tiles_of(tile);
    plan.shape.blocks = static_cast<std::uint32_t>(blocks_of(tile));
    plan.shape.threads = static_cast<std::uint32_t>((layout_.threads(tile) + 31) / 32 * 32);
    plan.shape.shared_bytes = static_cast<std::uint32_t>(layout_.shared_bytes(tile));
    return plan;
  }

  ClipShape size_;
  std::int64_t y_frames_;
  WindowLayout layout_;
  std::optional<WindowPlan> best_;
  double best_cost_ = std::numeric_limits<double>::infinity();
};

}  // namespace

WindowLayout window_layout(const DepthwiseConv3dProblem& problem) {
  return {problem.attributes.data_layout, static_cast<int>(size_of(problem.type)), static_cast<int>(problem.kernel[0]),
          static_cast<int>(problem.kernel[1]), static_cast<int>(problem.kernel[2])};
}

std::optional<WindowPlan> plan_window(const DepthwiseConv3dProblem& problem) {
  const DepthwiseConv3dAttributes& a = problem.attributes;
  const auto ones = [](const std::array<std::int64_t, 3>& values) {
    return std::all_of(values.begin(), values.end(), [](std::int64_t value) { return value == 1; });
  };
  const ClipShape& x = problem.x;
  if (!ones(a.strides) || !ones(a.dilations) || std::max({x.n, x.c, x.t, x.h, x.w}) >= kMostAlongAxis) return {};
  if (std::find(std::begin(kFilters), std::end(kFilters), problem.kernel) == std::end(kFilters)) return {};
  return Planner(problem).plan();
}

}  // namespace vidrt::kernels::cuda
