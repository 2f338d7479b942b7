#include "kernels/cpu/plan.h"
#include "kernels/divide_up.h"

#include <algorithm>

namespace vidrt::kernels {
namespace {

// Staged frames of one thread: they stay in a second-level cache of 256 KiB, the least of the processors aimed at.
constexpr std::int64_t kStagedFloats = 40 * 1024;
constexpr std::int64_t kUnitsPerThread = 4;
constexpr std::int64_t kMinRows = 4;            // fewer would stage more padding than rows
constexpr std::int64_t kTurnedPositions = 256;  // of a picture that is turned over whole
constexpr std::int64_t kDirectColumns = 2048;   // of a strip that is read where it is
constexpr std::int64_t kColumns = 1024;
constexpr std::int64_t kChannelsLastColumns = 64;
constexpr std::int64_t kChannelsLastBlock = 8;  // positions computed at once
constexpr std::int64_t kFlatVectors = 4;        // computed at once: so far beyond its end a flat strip is read

std::int64_t extent(const DepthwiseJob& job, int axis, std::int64_t results) {
  return (results - 1) * job.stride[axis] + (job.kernel[axis] - 1) * job.dilation[axis] + 1;
}

DepthwiseJob copy_of(const DepthwiseConv3dProblem& problem, const DepthwiseConv3dTensors& tensors) {
  DepthwiseJob job;
  job.type = problem.type;
  job.activation = problem.attributes.activation;
  job.clips = problem.x.n;
  job.channels = problem.x.c;
  job.in_t = problem.x.t;
  job.in_h = problem.x.h;
  job.in_w = problem.x.w;
  job.out_t = problem.y.t;
  job.out_h = problem.y.h;
  job.out_w = problem.y.w;
  for (int axis = 0; axis < 3; ++axis) {
    job.kernel[axis] = problem.kernel[axis];
    job.stride[axis] = problem.attributes.strides[axis];
    job.dilation[axis] = problem.attributes.dilations[axis];
    job.pad[axis] = problem.pad_before[axis];
  }
  job.cache_frames = problem.cache_frames;
  job.replicate_time = problem.attributes.temporal_pad_mode == PadMode::kReplicate;
  job.replicate_space = problem.attributes.spatial_pad_mode == PadMode::kReplicate;
  job.x = tensors.x;
  job.residual = tensors.residual;
  job.cache_in = tensors.cache_in;
  job.y = tensors.y;
  return job;
}

// Frames are staged with what lies between the positions that are read, so these stay near the picture. A stride of its
// size or more gives one result, whatever it is; and with such a dilation, 'same' reads the picture by the middle tap
// alone.
void stay_near(DepthwiseJob& job, const DepthwiseConv3dProblem& problem) {
  const std::int64_t sizes[] = {job.in_t, job.in_h, job.in_w};
  for (int axis = 1; axis < 3; ++axis) {
    job.stride[axis] = std::min(job.stride[axis], sizes[axis]);
    if (problem.attributes.spatial_padding != SpatialPadding::kSame) continue;
    job.dilation[axis] = std::min(job.dilation[axis], sizes[axis]);
    job.pad[axis] = (job.kernel[axis] - 1) / 2 * job.dilation[axis];
  }
}

bool reads_one_position(const DepthwiseJob& job) {
  return job.kernel[1] == 1 && job.kernel[2] == 1 && job.stride[1] == 1 && job.stride[2] == 1;
}

void choose_path(DepthwiseJob& job, DataLayout layout, int lanes) {
  if (reads_one_position(job)) {
    // Rows need not be told apart.
    job.in_w = job.out_w = job.in_h * job.in_w;
    job.in_h = job.out_h = 1;
  }
  const std::int64_t whole_vectors = divide_up(job.out_w, lanes) * lanes;
  if (layout == DataLayout::kNTHWC) {
    job.path = DepthwisePath::kChannelsLast;
  } else if (job.out_w < lanes || 2 * whole_vectors > 3 * extent(job, 2, job.out_w)) {
    const bool small = job.in_h * job.in_w <= kTurnedPositions && job.out_h * job.out_w <= kTurnedPositions;
    job.path = small && 2 * job.channels > lanes ? DepthwisePath::kTransposed : DepthwisePath::kFlat;
  } else if (reads_one_position(job) && job.type == ElementType::kFloat32) {
    job.path = DepthwisePath::kDirect;
  } else {
    job.path = DepthwisePath::kRows;
  }
}

bool vectors_of_channels(const DepthwiseJob& job) {
  return job.path == DepthwisePath::kChannelsLast || job.path == DepthwisePath::kTransposed;
}

// Sets where results lie in scratch, if they do, and returns how many positions that takes.
std::int64_t result_positions(DepthwiseJob& job, std::int64_t rows, int lanes) {
  if (vectors_of_channels(job)) {
    job.target_pitch = divide_up(job.strip_columns, kChannelsLastBlock) * kChannelsLastBlock;
    return rows * job.target_pitch;
  }
  if (job.path == DepthwisePath::kFlat) {
    job.target_pitch = job.row_pitch;
  } else if (job.type != ElementType::kFloat32) {
    job.target_pitch = job.strip_columns;
  } else {
    return 0;
  }
  return rows * job.target_pitch + kFlatVectors * lanes;  // vectors at the end are whole
}

}  // namespace

void lay_out(DepthwiseJob& job, std::int64_t rows, std::int64_t columns, int lanes) {
  job.strip_rows = rows;
  job.strip_columns = columns;
  // A row of zeros is written by whole vectors, and may reach into what follows; another phase must not be there.
  const std::int64_t slack = vectors_of_channels(job) ? 0 : lanes;
  job.column_phase = divide_up(extent(job, 2, job.strip_columns), job.stride[2]);
  job.row_pitch = job.column_phase * job.stride[2];
  job.row_phase = divide_up(extent(job, 1, rows), job.stride[1]) * job.row_pitch + slack;
  job.frame_size = job.row_phase * job.stride[1];
  // The vectors at the end of a strip are read whole.
  job.frame_size += vectors_of_channels(job) ? kChannelsLastBlock : kFlatVectors * lanes;
  const std::int64_t floats = vectors_of_channels(job) ? lanes : 1;
  const std::int64_t staged = job.path == DepthwisePath::kDirect ? 0 : job.kernel[0] * job.frame_size;
  const std::int64_t turned = job.path == DepthwisePath::kTransposed ? job.in_h * job.in_w : 0;
  job.scratch_floats = (staged + result_positions(job, rows, lanes) + turned) * floats;
  for (std::int64_t j = 0; j < job.kernel[1]; ++j) {
    for (std::int64_t k = 0; k < job.kernel[2]; ++k) {
      const std::int64_t row = j * job.dilation[1];
      const std::int64_t column = k * job.dilation[2];
      job.tap_offset[j * job.kernel[2] + k] = row % job.stride[1] * job.row_phase +
                                              row / job.stride[1] * job.row_pitch +
                                              column % job.stride[2] * job.column_phase + column / job.stride[2];
    }
  }
}

DepthwiseJob begin_job(const DepthwiseConv3dProblem& problem, const PackedDepthwise& packed,
                       const DepthwiseConv3dTensors& tensors, int lanes) {
  DepthwiseJob job = copy_of(problem, tensors);
  stay_near(job, problem);
  choose_path(job, problem.attributes.data_layout, lanes);
  job.weight = vectors_of_channels(job) ? packed.by_tap.data() : packed.by_channel.data();
  job.weight_pitch = static_cast<std::int64_t>(packed.bias.size());
  job.bias = packed.bias.data();
  return job;
}

DepthwiseJob plan_depthwise(const DepthwiseConv3dProblem& problem, const PackedDepthwise& packed,
                            const DepthwiseConv3dTensors& tensors, int lanes, int threads) {
  DepthwiseJob job = begin_job(problem, packed, tensors, lanes);
  const std::int64_t columns = job.path == DepthwisePath::kDirect         ? kDirectColumns
                               : job.path == DepthwisePath::kChannelsLast ? kChannelsLastColumns
                               : job.path != DepthwisePath::kRows         ? job.out_w
                                                                          : kColumns;
  job.column_strips = divide_up(job.out_w, columns);
  const std::int64_t strip_columns = divide_up(job.out_w, job.column_strips);
  job.channel_units = vectors_of_channels(job) ? divide_up(job.channels, lanes) : job.channels;
  const std::int64_t others = job.clips * job.channel_units * job.column_strips;
  const std::int64_t wanted_strips = divide_up(kUnitsPerThread * std::max(threads, 1), others);
  std::int64_t rows = std::max(std::min(job.out_h, kMinRows), divide_up(job.out_h, wanted_strips));
  lay_out(job, rows, strip_columns, lanes);
  while (job.scratch_floats > kStagedFloats && rows > kMinRows) {
    rows = std::max(kMinRows, rows / 2);
    lay_out(job, rows, strip_columns, lanes);
  }
  job.row_strips = divide_up(job.out_h, rows);
  job.units = others * job.row_strips;
  return job;
}

}  // namespace vidrt::kernels
