// How a tile lies in shared memory and on the threads of a block: what the planner and the kernels must agree on.
#pragma once

#include <cstdint>

#include "kernels/conv3d_types.h"

namespace vidrt::kernels::cuda {

/// Planes of the input in shared memory: one that is read, the others on their way.
constexpr int kWindowStages = 3;
/// Of shared memory, before the filters: where the block's tile lies.
constexpr int kWindowPlaceBytes = 32;
/// What every device gives a block without being asked for more.
constexpr int kWindowSharedBytes = 48 << 10;
/// Outputs along W, and channels, that a thread of the channels-last kernel computes.
constexpr int kLaneColumns = 4;
constexpr int kLaneChannels = 2;

/// Sizes of a part of the clip, in any layout.
struct WindowTile {
  std::int32_t channels = 1;
  std::int32_t frames = 1;
  std::int32_t rows = 1;
  std::int32_t columns = 1;
};

/// Of a filter, an element size and a layout; constant for a kernel.
///
/// NCTHW: a plane has (channels, rows + kH-1, columns + 2*halo) elements: with the padding in it, so that the sums ask
/// for no bounds, and with columns aligned as in memory, so that chunks of 16 bytes can be copied. A thread computes
/// one chunk along W.
///
/// NTHWC: a plane has (rows + kH-1, pitch, channels) elements. A thread computes kLaneColumns outputs along W of
/// kLaneChannels channels; the lanes of a warp are channels first, then rows. The pitch of a row is odd in positions,
/// so that rows begin in different banks.
struct WindowLayout {
  DataLayout layout;
  int element_bytes;
  int kt, kh, kw;

  constexpr bool is_planar() const { return layout == DataLayout::kNCTHW; }
  constexpr int chunk() const { return 16 / element_bytes; }
  constexpr int halo() const { return kw == 1 ? 0 : is_planar() ? chunk() : kw / 2; }
  /// Outputs of a thread in a frame: along W, and in all.
  constexpr int thread_columns() const { return is_planar() ? chunk() : kLaneColumns; }
  constexpr int thread_channels() const { return is_planar() ? 1 : kLaneChannels; }
  constexpr int thread_outputs() const { return thread_columns() * thread_channels(); }
  constexpr int taps() const { return kt * kh * kw; }
  constexpr int row_taps() const { return kt * kw; }
  /// Floats of the taps of one row of the filter's windows, of a thread's channels, in whole words where they are read
  /// so.
  constexpr int weight_row() const { return is_planar() ? (row_taps() + 3) / 4 * 4 : row_taps() * kLaneChannels; }
  /// Floats of the filters of a tile, and of its biases before them, in whole words.
  constexpr int weight_floats(int channels) const { return channels / thread_channels() * kh * weight_row(); }
  constexpr int bias_floats(int channels) const { return (channels + 3) / 4 * 4; }
  constexpr int pitch(const WindowTile& tile) const {
    return is_planar() ? tile.columns + 2 * halo() : (tile.columns + kw - 1) | 1;
  }
  constexpr int plane_elements(const WindowTile& tile) const {
    return tile.channels * (tile.rows + kh - 1) * pitch(tile);
  }
  /// Threads of a block at most, and blocks that a processor holds at least: the compiler may use 65536 registers
  /// divided by both for a thread. Measured by tools/cuda_resources.py: one step further and registers spill.
  constexpr int most_threads() const { return taps() > 27 ? 512 : 256; }
  constexpr int least_blocks() const { return taps() > 27 ? 1 : taps() > 9 ? 2 : 3; }
  constexpr int threads(const WindowTile& tile) const {
    return tile.channels / thread_channels() * tile.rows * (tile.columns / thread_columns());
  }
  constexpr int shared_bytes(const WindowTile& tile) const {
    return kWindowPlaceBytes + (bias_floats(tile.channels) + weight_floats(tile.channels)) * 4 +
           kWindowStages * plane_elements(tile) * element_bytes;
  }
};

}  // namespace vidrt::kernels::cuda
