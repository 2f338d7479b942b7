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
      : p_(p),
        place_(place_of_block<kLayout>(p)),
        pitch_(Window::layout().pitch(p.tile)),
        rows_(p.tile.rows + kH - 1),
        chunks_(p.tile.channels, rows_, pitch_ / kChunk<T>) {
    const int groups = p.tile.columns / kOutputs;
    const int thread = static_cast<int>(threadIdx.x);
    column_ = thread % groups * kOutputs;
    row_ = thread / groups % p.tile.rows;
    channel_ = thread / groups / p.tile.rows;
    is_active_ = channel_ < p.tile.channels && place_.channel + channel_ < p.size.channels;
    if (is_active_ && p.bias != nullptr) {
      bias_ = widen(load_global<T>(static_cast<const T*>(p.bias) + place_.channel + channel_));
    }
  }

  __device__ __forceinline__ const WindowPlace& place() const { return place_; }

  /// Filters to shared memory, row by row of the plane: what belongs to the same row of the input lies together.
  __device__ __forceinline__ void copy_weights(float* weights) const {
    constexpr int kTaps = kT * kH * kW;
    const T* source = static_cast<const T*>(p_.weight) + static_cast<std::int64_t>(place_.channel) * kTaps;
    const int channels = min(p_.tile.channels, p_.size.channels - place_.channel);
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
  __device__ __forceinline__ void copy_plane(const Frame<T>& frame, T* plane) const {
    if (!p_.reads_chunks) {
      copy_elements(frame, plane);
    } else if (is_interior()) {
      copy_chunks<false>(frame, plane);
    } else {
      copy_chunks<true>(frame, plane);
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
    const int row = place_.row + row_ - p_.centre_row;
    const int column = place_.column + column_ - p_.centre_column;
    if (!is_active_ || !is_in(row, p_.y_size.rows)) return;
    const std::int64_t offset =
        frame_offset<kLayout>(p_.y_size, p_.y_size.frames, place_, t) +
        (static_cast<std::int64_t>(channel_) * p_.y_size.frames * p_.y_size.rows + row) * p_.y_size.columns + column;
    if (p_.writes_chunks) {
      if (is_in(column, p_.y_size.columns)) store_chunk(offset, sums);
      return;
    }
#pragma unroll
    for (int i = 0; i < kOutputs; ++i) {
      if (!is_in(column + i, p_.y_size.columns)) continue;
      const float more = p_.residual == nullptr ? 0.0f : widen(load_global<T>(residual() + offset + i));
      store_global(y() + offset + i, narrow<T>(activate(sums[i] + bias_, p_.activation) + more));
    }
  }

  /// Write the tile's own part of a frame, or zeros, to frame `slot` of cache_out.
  __device__ __forceinline__ void cache(std::int32_t slot, const T* plane, bool is_zero) const {
    const int unit = p_.caches_chunks ? kChunk<T> : 1;
    T* target = static_cast<T*>(p_.cache_out) + frame_offset<kLayout>(p_.size, p_.cache_frames, place_, slot);
    Cells(p_.tile.channels, p_.tile.rows, p_.tile.columns / unit).visit([&](int channel, int row, int cell) {
      const int column = cell * unit;
      if (place_.channel + channel >= p_.size.channels || place_.row + row >= p_.size.rows ||
          place_.column + column >= p_.size.columns) {
        return;
      }
      T* to = target + (static_cast<std::int64_t>(channel) * p_.cache_frames * p_.size.rows + place_.row + row) *
                           p_.size.columns +
              place_.column + column;
      const T* from = plane + (channel * rows_ + row + kH / 2) * pitch_ + kHalo + column;
      if (p_.caches_chunks) {
        store_global(to, is_zero ? splat<T, kChunk<T>>(T{}) : load_shared<Vector<T, kChunk<T>>>(from));
      } else {
        store_global(to, is_zero ? T{} : load_shared<T>(from));
      }
    });
  }

 private:
  __device__ __forceinline__ T* y() const { return static_cast<T*>(p_.y); }
  __device__ __forceinline__ const T* residual() const { return static_cast<const T*>(p_.residual); }

  // Whether nothing that the tile reads lies outside of the clip.
  __device__ __forceinline__ bool is_interior() const {
    return place_.row >= kH / 2 && place_.row + p_.tile.rows + kH / 2 <= p_.size.rows && place_.column >= kHalo &&
           place_.column + p_.tile.columns + kHalo <= p_.size.columns &&
           place_.channel + p_.tile.channels <= p_.size.channels;
  }

  template <bool kBorder>
  __device__ __forceinline__ void copy_chunks(const Frame<T>& frame, T* plane) const {
    chunks_.visit([&](int channel, int row, int chunk) {
      T* to = plane + (channel * rows_ + row) * pitch_ + chunk * kChunk<T>;
      int from_row = place_.row - kH / 2 + row;
      const int from_column = place_.column - kHalo + chunk * kChunk<T>;
      bool exists = true;
      if (kBorder) {
        if (p_.replicates_edges) from_row = nearest_in(from_row, p_.size.rows);
        exists = is_in(from_row, p_.size.rows) && place_.channel + channel < p_.size.channels;
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
  __device__ __forceinline__ void copy_elements(const Frame<T>& frame, T* plane) const {
    const int columns = p_.tile.columns + kW - 1;
    Cells(p_.tile.channels, rows_, columns).visit([&](int channel, int row, int column) {
      int from_row = place_.row - kH / 2 + row;
      int from_column = place_.column - kW / 2 + column;
      if (p_.replicates_edges) {
        from_row = nearest_in(from_row, p_.size.rows);
        from_column = nearest_in(from_column, p_.size.columns);
      }
      T value{};
      if (is_in(from_row, p_.size.rows) && is_in(from_column, p_.size.columns) &&
          place_.channel + channel < p_.size.channels) {
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

  __device__ __forceinline__ void store_chunk(std::int64_t offset, const float (&sums)[kOutputs]) const {
    Vector<T, kOutputs> more = splat<T, kOutputs>(T{});
    if (p_.residual != nullptr) more = load_global<Vector<T, kOutputs>>(residual() + offset);
    Vector<T, kOutputs> result;
#pragma unroll
    for (int i = 0; i < kOutputs; ++i) {
      result.values[i] = narrow<T>(activate(sums[i] + bias_, p_.activation) + widen(more.values[i]));
    }
    store_global(y() + offset, result);
  }

  const WindowParams& p_;
  WindowPlace place_;
  int pitch_;
  int rows_;
  Cells chunks_;
  int channel_;
  int row_;
  int column_;
  bool is_active_;
  float bias_ = 0.0f;
};

}  // namespace vidrt::kernels::cuda
