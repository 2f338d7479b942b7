// The tile of a block where every channel has planes of its own (NCTHW).
#pragma once

#include "kernels/cuda/activation.cuh"
#include "kernels/cuda/cells.cuh"
#include "kernels/cuda/vector.cuh"
#include "kernels/cuda/window_place.cuh"

namespace vidrt::kernels::cuda {

/// Lies in shared memory as window_layout.h says. A thread computes one chunk of outputs along W.
template <typename T, int kT, int kH, int kW>
class PlanarTile {
 public:
  static constexpr DataLayout kLayout = DataLayout::kNCTHW;
  using Window = WindowOf<kLayout, T, kT, kH, kW>;
  static constexpr int kOutputs = Window::layout().thread_outputs();
  static constexpr int kHalo = Window::layout().halo();
  static constexpr int kWeightRow = Window::layout().weight_row();

  using Sums = float[kT][kOutputs];

  __device__ __forceinline__ explicit PlanarTile(const WindowParams& p)
      : p_(p), pitch_(Window::layout().pitch(p.tile)), rows_(p.tile.rows + kH - 1) {
    const int groups = p.tile.columns / kOutputs;
    const WindowPlace place = this_place();
    const int thread = static_cast<int>(threadIdx.x);
    column_ = thread % groups * kOutputs;
    row_ = thread / groups % p.tile.rows;
    channel_ = thread / groups / p.tile.rows;
    is_active_ = channel_ < p.tile.channels && place.channel + channel_ < p.size.channels;
  }

  /// Filters to shared memory, row by row of the plane: what belongs to the same row of the input lies together.
  __device__ __forceinline__ void copy_weights(float* weights) const {
    constexpr int kTaps = kT * kH * kW;
    const WindowPlace place = this_place();
    const T* source = static_cast<const T*>(p_.weight) + static_cast<std::int64_t>(place.channel) * kTaps;
    const int channels = min(p_.tile.channels, p_.size.channels - place.channel);
    for (int i = static_cast<int>(threadIdx.x); i < channels * kTaps; i += static_cast<int>(blockDim.x)) {
      const int channel = i / kTaps;
      const int time = i / (kH * kW) % kT;
      const int row = i / kW % kH;
      store_shared(weights + (channel * kH + row) * kWeightRow + time * kW + i % kW, widen(load_global<T>(source + i)));
    }
  }

  /// The thread's taps of one row.
  __device__ __forceinline__ void load_weights(const float* weights, int row, float (&taps)[kWeightRow]) const {
    if (!is_active_) return;
#pragma unroll
    for (int i = 0; i < kWeightRow; i += 4) {
      const auto four = load_shared<Vector<float, 4>>(weights + (channel_ * kH + row) * kWeightRow + i);
#pragma unroll
      for (int j = 0; j < 4; ++j) taps[i + j] = four.values[j];
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
      float in[kOutputs + kW - 1];
      load_row(plane + (channel_ * rows_ + row_ + row) * pitch_ + kHalo + column_, in);
#pragma unroll
      for (int time = 0; time < kT; ++time) {
#pragma unroll
        for (int column = 0; column < kW; ++column) {
#pragma unroll
          for (int i = 0; i < kOutputs; ++i) {
            sums[kT - 1 - time][i] = fmaf(taps[time * kW + column], in[i + column], sums[kT - 1 - time][i]);
          }
        }
      }
    }
  }

  /// Finish the thread's outputs of frame `t` of Y.
  __device__ __forceinline__ void store(std::int32_t t, const float (&sums)[kOutputs]) const {
    const WindowPlace place = this_place();
    const int row = place.row + row_ - p_.centre_row;
    const int column = place.column + column_ - p_.centre_column;
    if (!is_active_ || !is_in(row, p_.y_size.rows)) return;
    const std::int64_t offset =
        frame_offset<kLayout>(p_.y_size, p_.y_size.frames, place, t) +
        (static_cast<std::int64_t>(channel_) * p_.y_size.frames * p_.y_size.rows + row) * p_.y_size.columns + column;
    const auto bias = load_shared<float>(shared_biases() + channel_);
    float values[kOutputs];
#pragma unroll
    for (int i = 0; i < kOutputs; ++i) values[i] = sums[i] + bias;
    activate(p_.activation, values);
    if (p_.writes_chunks) {
      if (is_in(column, p_.y_size.columns)) store_values<kOutputs>(offset, values);
      return;
    }
#pragma unroll
    for (int i = 0; i < kOutputs; ++i) {
      if (is_in(column + i, p_.y_size.columns)) store_values<1>(offset + i, values + i);
    }
  }

  /// Write the tile's own part of a frame, or zeros, to frame `slot` of cache_out.
  __device__ __forceinline__ void cache(std::int32_t slot, const T* plane, bool is_zero) const {
    const WindowPlace place = this_place();
    const int unit = p_.caches_chunks ? kChunk<T> : 1;
    T* target = static_cast<T*>(p_.cache_out) + frame_offset<kLayout>(p_.size, p_.cache_frames, place, slot);
    visit(p_.cache_cells, static_cast<int>(threadIdx.x), [&](int channel, int row, int cell) {
      const int column = cell * unit;
      if (place.channel + channel >= p_.size.channels || place.row + row >= p_.size.rows ||
          place.column + column >= p_.size.columns) {
        return;
      }
      T* to =
          target +
          (static_cast<std::int64_t>(channel) * p_.cache_frames * p_.size.rows + place.row + row) * p_.size.columns +
          place.column + column;
      const T* from = plane + (channel * rows_ + row + kH / 2) * pitch_ + kHalo + column;
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
    return place.row >= kH / 2 && place.row + p_.tile.rows + kH / 2 <= p_.size.rows && place.column >= kHalo &&
           place.column + p_.tile.columns + kHalo <= p_.size.columns &&
           place.channel + p_.tile.channels <= p_.size.channels;
  }

  template <bool kBorder>
  __device__ __forceinline__ void copy_chunks(const WindowPlace& place, const Frame<T>& frame, T* plane) const {
    visit(p_.read_cells, static_cast<int>(threadIdx.x), [&](int channel, int row, int chunk) {
      T* to = plane + (channel * rows_ + row) * pitch_ + chunk * kChunk<T>;
      int from_row = place.row - kH / 2 + row;
      const int from_column = place.column - kHalo + chunk * kChunk<T>;
      bool exists = true;
      if (kBorder) {
        if (p_.replicates_edges) from_row = nearest_in(from_row, p_.size.rows);
        exists = is_in(from_row, p_.size.rows) && place.channel + channel < p_.size.channels;
        if (!is_in(from_column, p_.size.columns)) {
          if (p_.replicates_edges && exists) {
            const int edge = nearest_in(from_column, p_.size.columns);
            store_shared(to, splat<T, kChunk<T>>(load_global<T>(at(frame, channel, from_row, edge))));
            return;
          }
          exists = false;
        }
      }
      copy_async(to, exists ? at(frame, channel, from_row, from_column) : frame.data, exists);
    });
  }

  // Where rows do not begin at a multiple of a chunk, or the last one is cut.
  __device__ __forceinline__ void copy_elements(const WindowPlace& place, const Frame<T>& frame, T* plane) const {
    visit(p_.read_cells, static_cast<int>(threadIdx.x), [&](int channel, int row, int column) {
      int from_row = place.row - kH / 2 + row;
      int from_column = place.column - kW / 2 + column;
      if (p_.replicates_edges) {
        from_row = nearest_in(from_row, p_.size.rows);
        from_column = nearest_in(from_column, p_.size.columns);
      }
      T value{};
      if (is_in(from_row, p_.size.rows) && is_in(from_column, p_.size.columns) &&
          place.channel + channel < p_.size.channels) {
        value = load_global<T>(at(frame, channel, from_row, from_column));
      }
      store_shared(plane + (channel * rows_ + row) * pitch_ + kHalo - kW / 2 + column, value);
    });
  }

  __device__ __forceinline__ const T* at(const Frame<T>& frame, int channel, int row, int column) const {
    return frame.data + channel * frame.channel_stride + static_cast<std::int64_t>(row) * p_.size.columns + column;
  }

  // `centre`: the thread's first column. Its neighbours on both sides are read as one word each.
  __device__ __forceinline__ void load_row(const T* centre, float (&in)[kOutputs + kW - 1]) const {
    constexpr int kSide = kW / 2;
    constexpr int kWord = sizeof(T) == 2 ? 2 : kSide;
    const auto chunk = load_shared<Vector<T, kOutputs>>(centre);
#pragma unroll
    for (int i = 0; i < kOutputs; ++i) in[kSide + i] = widen(chunk.values[i]);
    if constexpr (kSide > 0) {
      const auto left = load_shared<Vector<T, kWord>>(centre - kWord);
      const auto right = load_shared<Vector<T, kWord>>(centre + kOutputs);
#pragma unroll
      for (int i = 0; i < kSide; ++i) {
        in[i] = widen(left.values[kWord - kSide + i]);
        in[kSide + kOutputs + i] = widen(right.values[i]);
      }
    }
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
  int rows_;
  int channel_;
  int row_;
  int column_;
  bool is_active_;
};

}  // namespace vidrt::kernels::cuda
