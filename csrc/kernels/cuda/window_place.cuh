// Where a block's tile lies in the clip, and where the frames that it reads lie in memory.
#pragma once

#include "kernels/cuda/vector.cuh"
#include "kernels/cuda/window_params.h"

namespace vidrt::kernels::cuda {

/// A kernel's layout. A function, because device code cannot take the address of a constant.
template <DataLayout kLayout, typename T, int kT, int kH, int kW>
struct WindowOf {
  static constexpr WindowLayout layout() { return {kLayout, static_cast<int>(sizeof(T)), kT, kH, kW}; }
};

/// The first sample, channel, frame, row and column of a tile. Lies in shared memory, because in registers it would be
/// kept over the sums, which need them.
struct alignas(16) WindowPlace {
  std::int32_t sample, channel, row, column, frame;
};

/// Neighbouring blocks run at the same time and share what they read, so the axis that is nearest in memory is fastest:
/// channels where they are last, else columns and rows.
template <DataLayout kLayout>
__device__ __forceinline__ WindowPlace place_of_block(const WindowParams& p) {
  unsigned block = blockIdx.x;
  const auto take = [&](std::int32_t tiles, std::int32_t size) {
    const unsigned index = block % static_cast<unsigned>(tiles);
    block /= static_cast<unsigned>(tiles);
    return static_cast<std::int32_t>(index) * size;
  };
  WindowPlace place;
  if (kLayout == DataLayout::kNTHWC) place.channel = take(p.tiles.channels, p.tile.channels);
  place.column = take(p.tiles.columns, p.tile.columns);
  place.row = take(p.tiles.rows, p.tile.rows);
  place.frame = take(p.tiles.frames, p.tile.frames);
  if (kLayout == DataLayout::kNCTHW) place.channel = take(p.tiles.channels, p.tile.channels);
  place.sample = static_cast<std::int32_t>(block);
  return place;
}

/// Work out the block's place; all threads come here. Returns when `this_place` can be read.
template <DataLayout kLayout>
__device__ __forceinline__ void find_place(const WindowParams& p) {
  if (threadIdx.x == 0) {
    const WindowPlace place = place_of_block<kLayout>(p);
    const Vector<std::int32_t, 4> words = {place.sample, place.channel, place.row, place.column};
    store_shared(shared_memory(), words);
    store_shared(shared_memory() + sizeof(words), place.frame);
  }
  wait_for_block();
}

__device__ __forceinline__ WindowPlace this_place() {
  const auto words = load_shared<Vector<std::int32_t, 4>>(shared_memory());
  const auto frame = load_shared<std::int32_t>(shared_memory() + sizeof(words));
  return {words.values[0], words.values[1], words.values[2], words.values[3], frame};
}

/// The biases of the tile's channels, behind the place in shared memory.
__device__ __forceinline__ float* shared_biases() {
  return reinterpret_cast<float*>(shared_memory() + kWindowPlaceBytes);
}

/// Copy them there; zeros where there are none.
template <typename T>
__device__ __forceinline__ void copy_biases(const WindowParams& p) {
  const int first = this_place().channel;
  for (int i = static_cast<int>(threadIdx.x); i < p.tile.channels; i += static_cast<int>(blockDim.x)) {
    const bool exists = p.bias != nullptr && first + i < p.size.channels;
    const float bias = exists ? widen(load_global<T>(static_cast<const T*>(p.bias) + first + i)) : 0.0f;
    store_shared(shared_biases() + i, bias);
  }
}

/// A frame's plane at the tile's sample and first channel, first row and column. No data: it is zeros.
template <typename T>
struct Frame {
  const T* data;
  std::int64_t channel_stride;
};

/// Offset in elements of a frame of a clip with `size`, at the place's sample and channel.
template <DataLayout kLayout>
__device__ __forceinline__ std::int64_t frame_offset(const WindowTile& size, std::int32_t frames,
                                                     const WindowPlace& place, std::int32_t frame) {
  const std::int64_t plane = static_cast<std::int64_t>(size.rows) * size.columns;
  if (kLayout == DataLayout::kNCTHW) {
    return ((static_cast<std::int64_t>(place.sample) * size.channels + place.channel) * frames + frame) * plane;
  }
  return (static_cast<std::int64_t>(place.sample) * frames + frame) * plane * size.channels + place.channel;
}

/// Whether frame `t` lies in padding with zeros.
__device__ __forceinline__ bool is_zero_frame(const WindowParams& p, std::int32_t t) {
  return !p.replicates_frames && ((t < 0 && p.cache_in == nullptr) || t >= p.size.frames);
}

/// Frame `t` of X, of the cache where t is before X, or of the padding.
template <DataLayout kLayout, typename T>
__device__ __forceinline__ Frame<T> frame_at(const WindowParams& p, const WindowPlace& place, std::int32_t t) {
  const void* clip = p.x;
  std::int32_t frames = p.size.frames;
  if (t < 0 && p.cache_in != nullptr) {
    clip = p.cache_in;
    frames = p.cache_frames;
    t += frames;
  } else if (t < 0 || t >= frames) {
    if (!p.replicates_frames) return {nullptr, 0};
    t = t < 0 ? 0 : frames - 1;
  }
  const std::int64_t stride =
      kLayout == DataLayout::kNCTHW ? static_cast<std::int64_t>(frames) * p.size.rows * p.size.columns : 1;
  return {static_cast<const T*>(clip) + frame_offset<kLayout>(p.size, frames, place, t), stride};
}

__device__ __forceinline__ bool is_in(std::int32_t position, std::int32_t size) {
  return static_cast<std::uint32_t>(position) < static_cast<std::uint32_t>(size);
}

__device__ __forceinline__ std::int32_t nearest_in(std::int32_t position, std::int32_t size) {
  return position < 0 ? 0 : position < size ? position : size - 1;
}

}  // namespace vidrt::kernels::cuda
