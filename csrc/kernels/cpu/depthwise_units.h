// Units of work of a depthwise 3D convolution: frames are staged, strips computed, results converted.
#pragma once

#include "kernels/cpu/depthwise_kernels.h"
#include "kernels/cpu/transpose.h"

namespace vidrt::kernels {
namespace {

/// Where the results of one frame of a unit go: into Y, or into fp32 that a later operator reads.
template <typename T>
struct Results {
  T* y;
  const T* residual;       // or null
  std::int64_t row_pitch;  // in positions
};

/// Results at `at` in Y.
template <typename T>
inline Results<T> results_in_y(const DepthwiseJob& job, std::int64_t at) {
  const T* residual = static_cast<const T*>(job.residual);
  return {static_cast<T*>(job.y) + at, residual == nullptr ? nullptr : residual + at, job.out_w};
}

/// Adds the residual to `count` results, fewer than a vector or as many, and writes them.
template <typename T>
inline void unpack(Vec value, const Results<T>& results, std::int64_t at, int count) {
  if (count == kLanes) {
    if (results.residual != nullptr) value += load(results.residual + at);
    store(results.y + at, value);
  } else {
    if (results.residual != nullptr) value += load_some(results.residual + at, count);
    store_some(results.y + at, value, count);
  }
}

template <typename T>
inline void unpack_row(const float* from, const Results<T>& results, std::int64_t at, std::int64_t count) {
  for (std::int64_t i = 0; i < count; i += kLanes) {
    unpack(load(from + i), results, at + i, static_cast<int>(lesser(kLanes, count - i)));
  }
}

/// All results of a unit, frame by frame: `stage(frame, staged)` stages a frame, and `compute(taps, t)` makes frame
/// `t`. `staged` is null where frames are read as they lie.
template <typename T, typename Stage, typename Compute>
inline void over_time(const DepthwiseJob& job, const Unit& unit, const T* x, const T* cache, std::int64_t frame_pitch,
                      StagedFrames* staged, const Stage& stage, const Compute& compute) {
  for (std::int64_t t = unit.frame; t < unit.frame + unit.frames; ++t) {
    Taps taps;
    taps.count = static_cast<int>(job.kernel[0]);
    for (int i = 0; i < taps.count; ++i) {
      const std::int64_t time = t * job.stride[0] + i * job.dilation[0] - job.pad[0];
      const Frame<T> frame = frame_at(job, time, x, cache, frame_pitch);
      if (staged != nullptr) {
        taps.frames[i] = staged->get(frame, i, stage);
      } else {
        taps.frames[i] = reinterpret_cast<const float*>(frame.frame);  // fp32 alone is read so
      }
    }
    compute(taps, t);
  }
}

/// Kernels that write fp32 can write into the results themselves.
inline Target target_of(const Results<float>& results) { return {results.y, results.residual, results.row_pitch}; }
template <typename T>
inline Target target_of(const Results<T>&) {
  return {};
}

/// A strip of one channel. `results_of(t)` tells where the results of frame `t` go.
template <typename T, typename ResultsOf>
void run_planar(const DepthwiseJob& job, const Unit& unit, float* scratch, const ResultsOf& results_of) {
  const std::int64_t plane = unit.clip * job.channels + unit.channel;
  const std::int64_t frame_pitch = job.in_h * job.in_w;
  const T* x = static_cast<const T*>(job.x) + plane * job.in_t * frame_pitch;
  const T* cache = static_cast<const T*>(job.cache_in);
  if (cache != nullptr) cache += plane * job.cache_frames * frame_pitch;
  const bool direct = job.path == DepthwisePath::kDirect;
  if (direct) {
    x += unit.column;
    if (cache != nullptr) cache += unit.column;
  }
  const float* weight = job.weight + unit.channel * job.kernel[0] * job.kernel[1] * job.kernel[2];
  const float bias = job.bias[unit.channel];
  const FilterKernels& kernels = filter_kernels(job);
  const auto strip = job.path == DepthwisePath::kFlat ? kernels.flat : kernels.by_rows;
  StagedFrames staged(job, scratch, 1);
  float* between = scratch + job.kernel[0] * job.frame_size;
  over_time(
      job, unit, x, cache, frame_pitch, direct ? nullptr : &staged,
      [&](const Frame<T>& frame, float* to) { stage_planar(job, unit, frame.frame, to); },
      [&](const Taps& taps, std::int64_t t) {
        const auto results = results_of(t);
        if (job.target_pitch == 0) {
          strip(job, unit, taps, weight, bias, target_of(results));
          return;
        }
        strip(job, unit, taps, weight, bias, {between, nullptr, job.target_pitch});
        for (std::int64_t row = 0; row < unit.rows; ++row) {
          unpack_row(between + row * job.target_pitch, results, row * results.row_pitch, unit.columns);
        }
      });
}

/// A strip of a vector of channels; `results_of(t)` as above, with `channel_pitch` elements from a position to the
/// next.
template <typename T, typename ResultsOf>
void run_channels_last(const DepthwiseJob& job, const Unit& unit, float* scratch, std::int64_t channel_pitch,
                       const ResultsOf& results_of) {
  const std::int64_t frame_pitch = job.in_h * job.in_w * job.channels;
  const T* x = static_cast<const T*>(job.x) + unit.clip * job.in_t * frame_pitch + unit.channel;
  const T* cache = static_cast<const T*>(job.cache_in);
  if (cache != nullptr) cache += unit.clip * job.cache_frames * frame_pitch + unit.channel;
  const int channels = static_cast<int>(lesser(kLanes, job.channels - unit.channel));
  const auto strip = filter_kernels(job).channels_last;
  StagedFrames staged(job, scratch, kLanes);
  float* between = scratch + job.kernel[0] * job.frame_size * kLanes;
  over_time(
      job, unit, x, cache, frame_pitch, &staged,
      [&](const Frame<T>& frame, float* to) {
        stage_channels_last(job, unit, frame.frame, job.channels, channels, to);
      },
      [&](const Taps& taps, std::int64_t t) {
        const auto results = results_of(t);
        strip(job, unit, taps, {between, nullptr, job.target_pitch});
        for (std::int64_t row = 0; row < unit.rows; ++row) {
          const float* from = between + row * job.target_pitch * kLanes;
          for (std::int64_t i = 0; i < unit.columns; ++i, from += kLanes) {
            unpack(load(from), results, (row * results.row_pitch + i) * channel_pitch, channels);
          }
        }
      });
}

/// Whole frames of a vector of channels, which lie one channel after the other: turned over, they are computed as those
/// whose channels come last. `results_of(t)` tells where the first channel's results go, the others `channel_pitch`
/// apart.
template <typename T, typename ResultsOf>
void run_transposed(const DepthwiseJob& job, const Unit& unit, float* scratch, std::int64_t channel_pitch,
                    const ResultsOf& results_of) {
  const std::int64_t plane = unit.clip * job.channels + unit.channel;
  const std::int64_t frame_pitch = job.in_h * job.in_w;
  const T* x = static_cast<const T*>(job.x) + plane * job.in_t * frame_pitch;
  const T* cache = static_cast<const T*>(job.cache_in);
  if (cache != nullptr) cache += plane * job.cache_frames * frame_pitch;
  const int channels = static_cast<int>(lesser(kLanes, job.channels - unit.channel));
  const auto strip = filter_kernels(job).channels_last;
  StagedFrames staged(job, scratch, kLanes);
  float* between = scratch + job.kernel[0] * job.frame_size * kLanes;
  float* turned = between + job.strip_rows * job.target_pitch * kLanes;
  over_time(
      job, unit, x, cache, frame_pitch, &staged,
      [&](const Frame<T>& frame, float* to) {
        const std::int64_t frames = frame.key < 0 ? job.cache_frames : job.in_t;
        channels_to_vectors(frame.frame, frames * frame_pitch, channels, frame_pitch, turned);
        stage_channels_last(job, unit, turned, kLanes, kLanes, to);
      },
      [&](const Taps& taps, std::int64_t t) {
        const auto results = results_of(t);
        strip(job, unit, taps, {between, nullptr, job.target_pitch});
        Vec block[kLanes] = {};
        const std::int64_t positions = unit.rows * unit.columns;
        for (std::int64_t at = 0; at < positions; at += kLanes) {
          const int count = static_cast<int>(lesser(kLanes, positions - at));
          for (int i = 0; i < count; ++i) {
            const std::int64_t row = (at + i) / unit.columns;
            block[i] = load(between + (row * job.target_pitch + (at + i) % unit.columns) * kLanes);
          }
          transpose(block);
          for (int c = 0; c < channels; ++c) unpack(block[c], results, c * channel_pitch + at, count);
        }
      });
}

template <typename T>
void run_units(const DepthwiseJob& job, std::int64_t begin, std::int64_t end, float* scratch) {
  const bool vectors = job.path == DepthwisePath::kChannelsLast || job.path == DepthwisePath::kTransposed;
  const std::int64_t plane = job.out_t * job.out_h * job.out_w;
  for (std::int64_t index = begin; index < end; ++index) {
    const Unit unit = unit_of(job, index, vectors ? kLanes : 1);
    const auto in_planes = [&](std::int64_t t) {
      const std::int64_t row = t * job.out_h + unit.row;
      return results_in_y<T>(job, (unit.clip * job.channels + unit.channel) * plane + row * job.out_w + unit.column);
    };
    switch (job.path) {
      case DepthwisePath::kChannelsLast:
        run_channels_last<T>(job, unit, scratch, job.channels, [&](std::int64_t t) {
          const std::int64_t row = (unit.clip * job.out_t + t) * job.out_h + unit.row;
          return results_in_y<T>(job, (row * job.out_w + unit.column) * job.channels + unit.channel);
        });
        break;
      case DepthwisePath::kTransposed:
        run_transposed<T>(job, unit, scratch, plane, in_planes);
        break;
      default:
        run_planar<T>(job, unit, scratch, in_planes);
    }
  }
}

void run_depthwise(const DepthwiseJob& job, std::int64_t begin, std::int64_t end, float* scratch) {
  switch (job.type) {
    case ElementType::kFloat32:
      return run_units<float>(job, begin, end, scratch);
    case ElementType::kFloat16:
      return run_units<Float16>(job, begin, end, scratch);
    case ElementType::kBFloat16:
      return run_units<BFloat16>(job, begin, end, scratch);
  }
}

}  // namespace
}  // namespace vidrt::kernels
