#include <algorithm>

#include "kernels/cpu/plan.h"
#include "kernels/divide_up.h"

namespace vidrt::kernels {
namespace {

// Depthwise results of one unit: they stay in a second-level cache while all outputs are computed from them.
constexpr std::int64_t kBetweenFloats = 64 * 1024;
constexpr std::int64_t kMinPositions = 64;
constexpr std::int64_t kUnitsPerThread = 2;
constexpr std::int64_t kChannelsLastColumns = 64;
constexpr std::int64_t kLine = 16;  // floats

// Into units of about `positions` results: whole frames where several fit, else rows, else parts of a row.
void cut(SeparableJob& job, std::int64_t positions, int threads) {
  const DepthwiseJob& depthwise = job.depthwise;
  const std::int64_t frame = depthwise.out_h * depthwise.out_w;
  job.time_parts = divide_up(depthwise.out_t, std::max<std::int64_t>(positions / frame, 1));
  job.row_strips =
      divide_up(depthwise.out_h, std::clamp<std::int64_t>(positions / depthwise.out_w, 1, depthwise.out_h));
  const bool parts_of_rows = depthwise.path == DepthwisePath::kDirect || depthwise.path == DepthwisePath::kRows;
  job.column_strips = parts_of_rows ? divide_up(depthwise.out_w, positions) : 1;
  const std::int64_t wanted = kUnitsPerThread * threads;
  const auto units = [&] { return depthwise.clips * job.time_parts * job.row_strips * job.column_strips; };
  if (units() < wanted) job.time_parts = std::min(depthwise.out_t, divide_up(wanted * job.time_parts, units()));
  if (units() < wanted) job.row_strips = std::min(depthwise.out_h, divide_up(wanted * job.row_strips, units()));
  job.units = units();
}

}  // namespace

SeparableJob plan_separable(const DepthwiseSeparableConv3dProblem& problem, const PackedDepthwise& depthwise,
                            const PackedPointwise& pointwise, const DepthwiseSeparableConv3dTensors& tensors, int lanes,
                            int threads) {
  SeparableJob job;
  job.depthwise = begin_job(problem.depthwise, depthwise, tensors.depthwise, lanes);
  job.output_activation = problem.output_activation;
  job.outputs = problem.y.c;
  job.pointwise = pointwise.weight.data();
  job.outputs_pitch = static_cast<std::int64_t>(pointwise.bias.size());
  job.bias = pointwise.bias.data();
  job.residual = tensors.depthwise.residual;
  job.y = tensors.depthwise.y;

  cut(job, std::max(kMinPositions, kBetweenFloats / job.depthwise.channels), std::max(threads, 1));
  const bool channels_last = job.depthwise.path == DepthwisePath::kChannelsLast;
  job.depthwise.column_strips = channels_last ? divide_up(job.depthwise.out_w, kChannelsLastColumns) : 1;
  const std::int64_t rows = divide_up(job.depthwise.out_h, job.row_strips);
  const std::int64_t columns = divide_up(job.depthwise.out_w, job.column_strips);
  lay_out(job.depthwise, rows, divide_up(columns, job.depthwise.column_strips), lanes);
  const std::int64_t positions = divide_up(job.depthwise.out_t, job.time_parts) * rows * columns;
  // An odd number of lines from one row to the next: a power of two would put all into the same few sets of a cache.
  const auto pitch = [](std::int64_t floats) { return (divide_up(floats, kLine) | 1) * kLine; };
  if (channels_last) {
    job.between_pitch = pitch(job.depthwise.channels);
    job.between_floats = (positions + kPanelRows) * job.between_pitch;
  } else {
    job.between_pitch = pitch(positions + 3 * lanes);  // vectors at the end are read whole
    job.between_floats = job.depthwise.channels * job.between_pitch;
  }
  job.scratch_floats = job.between_floats + job.depthwise.scratch_floats;
  return job;
}

}  // namespace vidrt::kernels
