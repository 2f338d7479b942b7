// The tile of a block where the channels of a position lie together (NTHWC).
#pragma once

#include "kernels/cuda/activation.cuh"
#include "kernels/cuda/cells.cuh"
#include "kernels/cuda/vector.cuh"
#include "kernels/cuda/window_place.cuh"

namespace vidrt::kernels::cuda {

/// Lies in shared memory as window_layout.h says. A thread computes kLaneColumns outputs of kLaneChannels channels.
template <typename T, int kT, int kH, int kW>
class ChannelsLastTile {
 public:
  static constexpr DataLayout kLayout = DataLayout::kNTHWC;
  using Window = WindowOf<kLayout, T, kT, kH, kW>;
  static constexpr int kOutputs = Window::layout().thread_outputs();
  static constexpr int kRowTaps = Window::layout().row_taps();
  static constexpr int kWeightRow = Window::layout().weight_row();

  using Sums = float[kT][kOutputs];

  __device__ __forceinline__ explicit ChannelsLastTile(const WindowParams& p)
      : p_(p), pitch_(Window::layout().pitch(p.tile)) {
    const int lanes = p.tile.channels / kLaneChannels;
    const WindowPlace place = this_place();
    const int thread = static_cast<int>(threadIdx.x);
    channel_ = thread % lanes * kLaneChannels;
    row_ = thread / lanes % p.tile.rows;
    column_ = thread / lanes / p.tile.rows * kLaneColumns;
    is_active_ = column_ < p.tile.columns && place.channel + channel_ < p.size.channels;
  }

  /// Filters to shared memory, a vector over the channels for each tap.
  __device__ __forceinline__ void copy_weights(float* weights) const {
    constexpr int kTaps = kT * kH * kW;
    const WindowPlace place = this_place();
    const T* source = static_cast<const T*>(p_.weight) + static_cast<std::int64_t>(place.channel) * kTaps;
    const int channels = min(p_.tile.channels, p_.size.channels - place.channel);
    for (int i = static_cast<int>(threadIdx.x); i < channels * kTaps; i += static_cast<int>(blockDim.x)) {
      const int time = i / (kH * kW) % kT;
      const int row = i / kW % kH;
      const int tap = row * kRowTaps + time * kW + i % kW;
      store_shared(weights + tap * p_.tile.channels + i / kTaps, widen(load_global<T>(source + i)));
    }
  }

  /// The thread's taps of one row.
  __device__ __forceinline__ void load_weights(const float* weights, int row, float (&taps)[kWeightRow]) const {
    if (!is_active_) return;
#pragma unroll
    for (int i = 0; i < kRowTaps; ++i) {
      const auto lane =
          load_shared<Vector<float, kLaneChannels>>(weights + (row * kRowTaps + i) * p_.tile.channels + channel_);
#pragma unroll
      for (int j = 0; j < kLaneChannels; ++j) taps[i * kLaneChannels + j] = lane.values[j];
    }
  }

  /// Begin to copy the tile's part of a frame, its surroundings included.
  __device__ __forceinline__ void copy_plane(const WindowPlace& place, const Frame<T>& frame, T* plane) const {
    if (!p_.reads_chunks) {
      copy_elements(place, frame, plane);
    } else if (is_interior(place)) {
      copy_chunks<false>(place, frame, plane);
    } else {
      copy_chunks<true>(place, frame, plane);
    }
  }

  /// sums[j] += what a frame contributes to the output j frames after the oldest unfinished one.
  template <typename Taps>
  __device__ __forceinline__ void accumulate(const T* plane, const Taps& taps_of, Sums& sums) const {
    if (!is_active_) return;
#pragma unroll
    for (int row = 0; row < kH; ++row) {
      float taps[kWeightRow];
      taps_of(row, taps);
      const T* in_row = plane + ((row_ + row) * pitch_ + column_) * p_.tile.channels + channel_;
#pragma unroll
      for (int position = 0; position < kLaneColumns + kW - 1; ++position) {
        const auto in = load_shared<Vector<T, kLaneChannels>>(in_row + position * p_.tile.channels);
#pragma unroll
        for (int column = 0; column < kW; ++column) {
          const int output = position - column;
          if (output < 0 || output >= kLaneColumns) continue;
#pragma unroll
          for (int time = 0; time < kT; ++time) {
#pragma unroll
            for (int i = 0; i < kLaneChannels; ++i) {
              float& sum = sums[kT - 1 - time][output * kLaneChannels + i];
              sum = fmaf(taps[(time * kW + column) * kLaneChannels + i], widen(in.values[i]), sum);
            }
          }
        }
      }
    }
  }

  /// Finish the thread's outputs of frame `t` of Y.
  __device__ __forceinline__ void store(std::int32_t t, const float (&sums)[kOutputs]) const {
    const WindowPlace place = this_place();
    const int row = place.row + row_ - p_.centre_row;
    if (!is_active_ || !is_in(row, p_.y_size.rows)) return;
    const std::int64_t frame = frame_offset<kLayout>(p_.y_size, p_.y_size.frames, place, t) + channel_;
    float values[kOutputs];
    const auto bias = load_shared<Vector<float, kLaneChannels>>(shared_biases() + channel_);
#pragma unroll
    for (int i = 0; i < kOutputs; ++i) values[i] = sums[i] + bias.values[i % kLaneChannels];
    activate(p_.activation, values);
#pragma unroll
    for (int i = 0; i < kLaneColumns; ++i) {
      const int column = place.column + column_ + i - p_.centre_column;
      if (!is_in(column, p_.y_size.columns)) continue;
      const std::int64_t offset =
          frame + (static_cast<std::int64_t>(row) * p_.y_size.columns + column) * p_.y_size.channels;
      if (p_.writes_chunks) {
        store_values<kLaneChannels>(offset, values + i * kLaneChannels);
        continue;
      }
#pragma unroll
      for (int j = 0; j < kLaneChannels; ++j) {
        if (place.channel + channel_ + j < p_.size.channels) {
          store_values<1>(offset + j, values + i * kLaneChannels + j);
        }
      }
    }
  }

  /// Write the tile's own part of a frame, or zeros, to frame `slot` of cache_out.
  __device__ __forceinline__ void cache(std::int32_t slot, const T* plane, bool is_zero) const {
    const WindowPlace place = this_place();
    const int unit = p_.caches_chunks ? kChunk<T> : 1;
    T* target = static_cast<T*>(p_.cache_out) + frame_offset<kLayout>(p_.size, p_.cache_frames, place, slot);
    visit(p_.cache_cells, static_cast<int>(threadIdx.x), [&](int row, int column, int cell) {
      const int channel = cell * unit;
      if (place.row + row >= p_.size.rows || place.column + column >= p_.size.columns ||
          place.channel + channel >= p_.size.channels) {
        return;
      }
      T* to = target + position(place.row + row, place.column + column) + channel;
      const T* from = plane + ((row + kH / 2) * pitch_ + kW / 2 + column) * p_.tile.channels + channel;
      if (p_.caches_chunks) {
        store_global(to, is_zero ? splat<T, kChunk<T>>(T{}) : load_shared<Vector<T, kChunk<T>>>(from));
      } else {
        store_global(to, is_zero ? T{} : load_shared<T>(from));
      }
    });
  }

 private:
  // Whether nothing that the tile reads lies outside of the clip.
  __device__ __forceinline__ bool is_interior(const WindowPlace& place) const {
    return place.row >= kH / 2 && place.row + p_.tile.rows + kH / 2 <= p_.size.rows && place.column >= kW / 2 &&
           place.column + p_.tile.columns + kW / 2 <= p_.size.columns &&
           place.channel + p_.tile.channels <= p_.size.channels;
  }

  template <bool kBorder>
  __device__ __forceinline__ void copy_chunks(const WindowPlace& place, const Frame<T>& frame, T* plane) const {
    visit(p_.read_cells, static_cast<int>(threadIdx.x), [&](int row, int column, int chunk) {
      T* to = plane + (row * pitch_ + column) * p_.tile.channels + chunk * kChunk<T>;
      int from_row = place.row - kH / 2 + row;
      int from_column = place.column - kW / 2 + column;
      bool exists = true;
      if (kBorder) {
        if (p_.replicates_edges) {
          from_row = nearest_in(from_row, p_.size.rows);
          from_column = nearest_in(from_column, p_.size.columns);
        }
        exists = is_in(from_row, p_.size.rows) && is_in(from_column, p_.size.columns) &&
                 place.channel + chunk * kChunk<T> < p_.size.channels;
      }
      const T* from = exists ? frame.data + position(from_row, from_column) + chunk * kChunk<T> : frame.data;
      copy_async(to, from, exists);
    });
  }

  // Where channels are not a multiple of a chunk.
  __device__ __forceinline__ void copy_elements(const WindowPlace& place, const Frame<T>& frame, T* plane) const {
    visit(p_.read_cells, static_cast<int>(threadIdx.x), [&](int row, int column, int channel) {
      int from_row = place.row - kH / 2 + row;
      int from_column = place.column - kW / 2 + column;
      if (p_.replicates_edges) {
        from_row = nearest_in(from_row, p_.size.rows);
        from_column = nearest_in(from_column, p_.size.columns);
      }
      T value{};
      if (is_in(from_row, p_.size.rows) && is_in(from_column, p_.size.columns) &&
          place.channel + channel < p_.size.channels) {
        value = load_global<T>(frame.data + position(from_row, from_column) + channel);
      }
      store_shared(plane + (row * pitch_ + column) * p_.tile.channels + channel, value);
    });
  }

  // Offset in a frame of X.
  __device__ __forceinline__ std::int64_t position(int row, int column) const {
    return (static_cast<std::int64_t>(row) * p_.size.columns + column) * p_.size.channels;
  }

  // values + residual, from `offset` on.
  template <int kCount>
  __device__ __forceinline__ void store_values(std::int64_t offset, const float* values) const {
    Vector<T, kCount> more = splat<T, kCount>(T{});
    if (p_.residual != nullptr) {
      more = load_global<Vector<T, kCount>>(static_cast<const T*>(p_.residual) + offset);
    }
    Vector<T, kCount> result;
#pragma unroll
    for (int i = 0; i < kCount; ++i) result.values[i] = narrow<T>(values[i] + widen(more.values[i]));
    store_global(static_cast<T*>(p_.y) + offset, result);
  }

  const WindowParams& p_;
  int pitch_;
  int channel_;
  int row_;
  int column_;
  bool is_active_;
};

}  // namespace vidrt::kernels::cuda
