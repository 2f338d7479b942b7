// Frames of one strip, as fp32 with their padding: see DepthwiseJob.
#pragma once

#include "kernels/cpu/depthwise_job.h"
#include "kernels/cpu/simd.h"

namespace vidrt::kernels {
namespace {

inline std::int64_t lesser(std::int64_t a, std::int64_t b) { return a < b ? a : b; }
inline std::int64_t clamp_index(std::int64_t i, std::int64_t size) { return i < 0 ? 0 : i >= size ? size - 1 : i; }

/// Where a unit of work lies.
struct Unit {
  std::int64_t clip, channel;  // the first channel, where a unit has a vector of them
  std::int64_t row, rows;      // of the result
  std::int64_t column, columns;
  std::int64_t frame, frames;
};

inline Unit unit_of(const DepthwiseJob& job, std::int64_t index, int channels_of_unit) {
  const std::int64_t column_strip = index % job.column_strips;
  index /= job.column_strips;
  const std::int64_t row_strip = index % job.row_strips;
  index /= job.row_strips;
  Unit unit;
  unit.channel = index % job.channel_units * channels_of_unit;
  unit.clip = index / job.channel_units;
  // Even parts: none is much smaller than the others.
  unit.row = job.out_h * row_strip / job.row_strips;
  unit.rows = job.out_h * (row_strip + 1) / job.row_strips - unit.row;
  unit.column = job.out_w * column_strip / job.column_strips;
  unit.columns = job.out_w * (column_strip + 1) / job.column_strips - unit.column;
  unit.frame = 0;
  unit.frames = job.out_t;
  return unit;
}

/// A frame of input. `frame` is null where zeros stand for it.
template <typename T>
struct Frame {
  const T* frame;
  std::int64_t key;  // equal for equal frames, negative for those of the cache
};

/// The frame that stands at time `t`, which may lie outside the clip. `x` and `cache` are those of the unit's channels,
/// with `pitch` elements from a frame to the next.
template <typename T>
inline Frame<T> frame_at(const DepthwiseJob& job, std::int64_t t, const T* x, const T* cache, std::int64_t pitch) {
  if (t < 0 && cache != nullptr) return {cache + (job.cache_frames + t) * pitch, t};
  if (t >= 0 && t < job.in_t) return {x + t * pitch, t};
  if (!job.replicate_time) return {nullptr, 0};
  t = clamp_index(t, job.in_t);
  return {x + t * pitch, t};
}

/// Copies `count` elements to fp32. May write up to a vector's length of zeros after them.
template <typename T>
inline void convert(const T* from, float* to, std::int64_t count) {
  if (count < kLanes) {
    store(to, load_some(from, static_cast<int>(count)));
    return;
  }
  for (std::int64_t i = 0; i + kLanes < count; i += kLanes) store(to + i, load(from + i));
  store(to + count - kLanes, load(from + count - kLanes));
}

// Where a staged row or column lies. A division costs as much as a short row, and most strides are 1.
inline std::int64_t row_offset(const DepthwiseJob& job, std::int64_t row) {
  if (job.stride[1] == 1) return row * job.row_pitch;
  return row % job.stride[1] * job.row_phase + row / job.stride[1] * job.row_pitch;
}
inline std::int64_t column_offset(const DepthwiseJob& job, std::int64_t column) {
  if (job.stride[2] == 1) return column;
  return column % job.stride[2] * job.column_phase + column / job.stride[2];
}

/// Stages the part of a frame that a unit reads. Planar: `frame` (H,W) of one channel.
template <typename T>
inline void stage_planar(const DepthwiseJob& job, const Unit& unit, const T* frame, float* staged) {
  const std::int64_t rows = (unit.rows - 1) * job.stride[1] + (job.kernel[1] - 1) * job.dilation[1] + 1;
  const std::int64_t columns = (unit.columns - 1) * job.stride[2] + (job.kernel[2] - 1) * job.dilation[2] + 1;
  const std::int64_t first_row = unit.row * job.stride[1] - job.pad[1];
  const std::int64_t first_column = unit.column * job.stride[2] - job.pad[2];
  for (std::int64_t r = 0; r < rows; ++r) {
    const std::int64_t row = first_row + r;
    float* to = staged + row_offset(job, r);
    const bool outside = row < 0 || row >= job.in_h;
    if (outside && !job.replicate_space) {
      for (std::int64_t i = 0; i < job.row_pitch; i += kLanes) store(to + i, zeros());
      continue;
    }
    const T* from = frame + clamp_index(row, job.in_h) * job.in_w;
    if (job.stride[2] == 1) {
      const std::int64_t left = first_column < 0 ? lesser(-first_column, columns) : 0;
      const std::int64_t inside = lesser(columns - left, job.in_w - (first_column + left));
      const float before = job.replicate_space ? load_some(from, 1)[0] : 0.0f;
      const float after = job.replicate_space ? load_some(from + job.in_w - 1, 1)[0] : 0.0f;
      for (std::int64_t i = 0; i < left; ++i) to[i] = before;
      if (inside > 0) convert(from + first_column + left, to + left, inside);
      for (std::int64_t i = left + (inside > 0 ? inside : 0); i < columns; ++i) to[i] = after;
      continue;
    }
    for (std::int64_t i = 0; i < columns; ++i) {
      const std::int64_t column = first_column + i;
      const bool pads = (column < 0 || column >= job.in_w) && !job.replicate_space;
      to[column_offset(job, i)] = pads ? 0.0f : load_some(from + clamp_index(column, job.in_w), 1)[0];
    }
  }
}

/// The same for a vector of channels: `frame` (H,W,C) from the unit's first channel on, of which it has `channels`;
/// `pitch` elements from a position to the next.
template <typename T>
inline void stage_channels_last(const DepthwiseJob& job, const Unit& unit, const T* frame, std::int64_t pitch,
                                int channels, float* staged) {
  const std::int64_t rows = (unit.rows - 1) * job.stride[1] + (job.kernel[1] - 1) * job.dilation[1] + 1;
  const std::int64_t columns = (unit.columns - 1) * job.stride[2] + (job.kernel[2] - 1) * job.dilation[2] + 1;
  const std::int64_t first_row = unit.row * job.stride[1] - job.pad[1];
  const std::int64_t first_column = unit.column * job.stride[2] - job.pad[2];
  for (std::int64_t r = 0; r < rows; ++r) {
    const std::int64_t row = first_row + r;
    float* to = staged + row_offset(job, r) * kLanes;
    for (std::int64_t i = 0; i < columns; ++i) {
      const std::int64_t column = first_column + i;
      const bool outside = row < 0 || row >= job.in_h || column < 0 || column >= job.in_w;
      const T* from = frame + (clamp_index(row, job.in_h) * job.in_w + clamp_index(column, job.in_w)) * pitch;
      Vec value = zeros();
      if (!outside || job.replicate_space) value = channels == kLanes ? load(from) : load_some(from, channels);
      store(to + column_offset(job, i) * kLanes, value);
    }
  }
}

/// The staged frames of one strip, kept while later results need them.
class StagedFrames {
 public:
  static constexpr std::int64_t kMaxTaps = 7;

  StagedFrames(const DepthwiseJob& job, float* memory, int floats_per_position)
      : job_(job), memory_(memory), floats_(job.frame_size * floats_per_position) {
    for (std::int64_t& key : keys_) key = kNone;
  }

  /// The staged form of a frame for the tap `tap` along time; `stage(frame, staged)` makes it. Null for zeros.
  template <typename T, typename Stage>
  const float* get(const Frame<T>& frame, std::int64_t tap, const Stage& stage) {
    if (frame.frame == nullptr) return nullptr;
    // Neighbouring taps read neighbouring frames: as many slots as taps hold all that one result reads.
    const std::int64_t slots = job_.kernel[0];
    const std::int64_t slot = job_.dilation[0] == 1 ? ((frame.key % slots) + slots) % slots : tap;
    float* staged = memory_ + slot * floats_;
    if (keys_[slot] != frame.key) {
      stage(frame, staged);
      keys_[slot] = frame.key;
    }
    return staged;
  }

 private:
  static constexpr std::int64_t kNone = INT64_MIN;
  const DepthwiseJob& job_;
  float* memory_;
  std::int64_t floats_;
  std::int64_t keys_[kMaxTaps];
};

}  // namespace
}  // namespace vidrt::kernels
