// Depthwise convolution with stride and dilation 1: a block marches through time over its tile.
#pragma once

#include "kernels/cuda/channels_last_tile.cuh"
#include "kernels/cuda/planar_tile.cuh"

namespace vidrt::kernels::cuda {

/// Every plane of the input is read from memory once: it goes to a ring of planes in shared memory, is added to the kT
/// outputs that need it (their sums stay in registers), and is written to cache_out where it belongs there.
template <typename Tile, typename T, int kT, int kH>
__global__ void __launch_bounds__(Tile::Window::layout().most_threads(), Tile::Window::layout().least_blocks())
    depthwise_window(const __grid_constant__ WindowParams p) {
  find_place<Tile::kLayout>(p);
  const Tile tile(p);
  float* weights = shared_biases() + Tile::Window::layout().bias_floats(p.tile.channels);
  auto* ring = reinterpret_cast<T*>(weights + Tile::Window::layout().weight_floats(p.tile.channels));
  const int plane_elements = Tile::Window::layout().plane_elements(p.tile);
  const auto stage = [&](int plane) { return ring + plane % kWindowStages * plane_elements; };

  const int first_out = this_place().frame;
  const int outputs = min(p.tile.frames, p.y_size.frames - first_out);
  const int first_in = first_out - p.frames_before;
  const int planes = outputs + kT - 1;
  const auto prefetch = [&](int plane) {
    if (plane < planes) {
      const WindowPlace place = this_place();
      const auto frame = frame_at<Tile::kLayout, T>(p, place, first_in + plane);
      if (frame.data != nullptr) tile.copy_plane(place, frame, stage(plane));
    }
    commit_copies();
  };

#pragma unroll 1
  for (int plane = 0; plane < kWindowStages - 1; ++plane) prefetch(plane);
  copy_biases<T>(p);
  tile.copy_weights(weights);
  constexpr bool kKeepsWeights = Tile::Window::layout().taps() <= 27;  // in registers
  float kept[kKeepsWeights ? kH : 1][Tile::kWeightRow] = {};
  if constexpr (kKeepsWeights) {
    wait_for_block();
#pragma unroll
    for (int row = 0; row < kH; ++row) tile.load_weights(weights, row, kept[row]);
  }
  const auto taps_of = [&](int row, float(&taps)[Tile::kWeightRow]) {
    if constexpr (kKeepsWeights) {
#pragma unroll
      for (int i = 0; i < Tile::kWeightRow; ++i) taps[i] = kept[row][i];
    } else {
      tile.load_weights(weights, row, taps);
    }
  };

  typename Tile::Sums sums = {};
#pragma unroll 1
  for (int plane = 0; plane < planes; ++plane) {
    // This thread's part of the plane has come; after the barrier all parts have, and the plane before it has been
    // read.
    wait_for_copies<kWindowStages - 2>();
    wait_for_block();
    prefetch(plane + kWindowStages - 1);

    const int t = first_in + plane;
    const bool is_zero = is_zero_frame(p, t);
    if (!is_zero) tile.accumulate(stage(plane), taps_of, sums);
    // Frames before X belong to the first tile in time, every other to the tile with the output at the same time.
    const int slot = t - (p.size.frames - p.cache_frames);
    const bool is_own = t >= first_out ? t < first_out + outputs : first_out == 0;
    if (p.cache_out != nullptr && slot >= 0 && is_own) tile.cache(slot, stage(plane), is_zero);

    if (plane >= kT - 1) tile.store(first_out + plane - (kT - 1), sums[0]);
#pragma unroll
    for (int j = 0; j < kT; ++j) {
#pragma unroll
      for (int i = 0; i < Tile::kOutputs; ++i) sums[j][i] = j + 1 < kT ? sums[j + 1][i] : 0.0f;
    }
  }
}

}  // namespace vidrt::kernels::cuda
