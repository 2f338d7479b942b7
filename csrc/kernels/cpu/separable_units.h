// Units of work of a depthwise-separable 3D convolution; see SeparableJob.
#pragma once

#include "kernels/cpu/depthwise_units.h"
#include "kernels/cpu/pointwise.h"

namespace vidrt::kernels {
namespace {

inline Unit separable_unit(const SeparableJob& job, std::int64_t index) {
  const DepthwiseJob& depthwise = job.depthwise;
  const std::int64_t column_strip = index % job.column_strips;
  index /= job.column_strips;
  const std::int64_t row_strip = index % job.row_strips;
  index /= job.row_strips;
  const std::int64_t part = index % job.time_parts;
  Unit unit;
  unit.clip = index / job.time_parts;
  unit.channel = 0;
  unit.row = depthwise.out_h * row_strip / job.row_strips;
  unit.rows = depthwise.out_h * (row_strip + 1) / job.row_strips - unit.row;
  unit.column = depthwise.out_w * column_strip / job.column_strips;
  unit.columns = depthwise.out_w * (column_strip + 1) / job.column_strips - unit.column;
  unit.frame = depthwise.out_t * part / job.time_parts;
  unit.frames = depthwise.out_t * (part + 1) / job.time_parts - unit.frame;
  return unit;
}

template <typename T>
inline Outputs<T> outputs_at(const SeparableJob& job, std::int64_t at, std::int64_t pitch) {
  const T* residual = static_cast<const T*>(job.residual);
  return {static_cast<T*>(job.y) + at, residual == nullptr ? nullptr : residual + at, pitch};
}

/// Stretches of a unit's positions that lie one behind another in Y: all, frames of the strip, or rows of it.
struct Runs {
  Runs(const DepthwiseJob& job, const Unit& of) : unit(of), height(job.out_h), width(job.out_w) {
    const bool rows = unit.columns == width;
    const bool frames = rows && unit.rows == height;
    rows_in_run = frames ? unit.frames * height : rows ? unit.rows : 1;
    count = unit.frames * unit.rows / rows_in_run;
    length = rows_in_run * unit.columns;
  }

  /// Where a run begins among the positions of one channel.
  std::int64_t begin(std::int64_t run) const {
    const std::int64_t row = run * rows_in_run;
    return ((unit.frame + row / unit.rows) * height + unit.row + row % unit.rows) * width + unit.column;
  }

  Unit unit;
  std::int64_t height, width;
  std::int64_t rows_in_run, count, length;
};

/// Depthwise results (C, positions), then rows of outputs along the positions.
template <typename T>
void separable_planar(const SeparableJob& job, Unit unit, float* between, float* scratch) {
  const DepthwiseJob& depthwise = job.depthwise;
  const std::int64_t strip = unit.rows * unit.columns;
  const bool transposed = depthwise.path == DepthwisePath::kTransposed;
  for (unit.channel = 0; unit.channel < depthwise.channels; unit.channel += transposed ? kLanes : 1) {
    const auto results_of = [&](std::int64_t t) {
      float* row = between + unit.channel * job.between_pitch;
      return Results<float>{row + (t - unit.frame) * strip, nullptr, unit.columns};
    };
    if (transposed) {
      run_transposed<T>(depthwise, unit, scratch, job.between_pitch, results_of);
    } else {
      run_planar<T>(depthwise, unit, scratch, results_of);
    }
  }
  const Runs runs(depthwise, unit);
  const std::int64_t pitch = depthwise.out_t * depthwise.out_h * depthwise.out_w;
  for (std::int64_t o = 0; o < job.outputs; o += kPanelRows) {
    const float* panel = job.pointwise + o * depthwise.channels;
    for (std::int64_t r = 0; r < runs.count; ++r) {
      const Product product{panel, 1, kPanelRows, between + r * runs.length, job.between_pitch, depthwise.channels};
      const std::int64_t first = (unit.clip * job.outputs + o) * pitch + runs.begin(r);
      output_rows(product, {job.bias + o, nullptr}, job.output_activation, outputs_at<T>(job, first, pitch),
                  lesser(kPanelRows, job.outputs - o), runs.length);
    }
  }
}

/// Depthwise results (positions, C), then rows of positions along the outputs.
template <typename T>
void separable_channels_last(const SeparableJob& job, Unit unit, float* between, float* scratch) {
  const DepthwiseJob& depthwise = job.depthwise;
  const std::int64_t strip = unit.rows * unit.columns;
  const std::int64_t row = unit.row;
  for (std::int64_t part = 0; part < depthwise.column_strips; ++part) {
    Unit narrow = unit;
    narrow.column = depthwise.out_w * part / depthwise.column_strips;
    narrow.columns = depthwise.out_w * (part + 1) / depthwise.column_strips - narrow.column;
    for (narrow.channel = 0; narrow.channel < depthwise.channels; narrow.channel += kLanes) {
      run_channels_last<T>(depthwise, narrow, scratch, job.between_pitch, [&](std::int64_t t) {
        const std::int64_t position = (t - unit.frame) * strip + narrow.column;
        return Results<float>{between + position * job.between_pitch + narrow.channel, nullptr, unit.columns};
      });
    }
  }
  for (std::int64_t t = 0; t < unit.frames; ++t) {
    const std::int64_t frame = (unit.clip * depthwise.out_t + unit.frame + t) * depthwise.out_h;
    for (std::int64_t position = 0; position < strip; position += kPanelRows) {
      const Product product{between + (t * strip + position) * job.between_pitch,
                            job.between_pitch,
                            1,
                            job.pointwise,
                            job.outputs_pitch,
                            depthwise.channels};
      const std::int64_t first = ((frame + row) * depthwise.out_w + position) * job.outputs;
      output_rows(product, {nullptr, job.bias}, job.output_activation, outputs_at<T>(job, first, job.outputs),
                  lesser(kPanelRows, strip - position), job.outputs);
    }
  }
}

template <typename T>
void run_separable_units(const SeparableJob& job, std::int64_t begin, std::int64_t end, float* scratch) {
  float* between = scratch;
  float* rest = scratch + job.between_floats;
  for (std::int64_t index = begin; index < end; ++index) {
    const Unit unit = separable_unit(job, index);
    if (job.depthwise.path == DepthwisePath::kChannelsLast) {
      separable_channels_last<T>(job, unit, between, rest);
    } else {
      separable_planar<T>(job, unit, between, rest);
    }
  }
}

void run_separable(const SeparableJob& job, std::int64_t begin, std::int64_t end, float* scratch) {
  switch (job.depthwise.type) {
    case ElementType::kFloat32:
      return run_separable_units<float>(job, begin, end, scratch);
    case ElementType::kFloat16:
      return run_separable_units<Float16>(job, begin, end, scratch);
    case ElementType::kBFloat16:
      return run_separable_units<BFloat16>(job, begin, end, scratch);
  }
}

}  // namespace
}  // namespace vidrt::kernels
