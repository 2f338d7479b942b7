// One depthwise convolution as the vector kernels take it: plain numbers and arrays, worked out once for a call.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/conv3d_types.h"

namespace vidrt::kernels {

/// Which of the kernels runs.
enum class DepthwisePath {
  kDirect,        // one position in space per tap: frames are read where they are
  kRows,          // vectors along the width
  kFlat,          // vectors along whole strips, for pictures narrower than a vector
  kTransposed,    // vectors along the channels, for small pictures: blocks of both are turned over before and after
  kChannelsLast,  // vectors along the channels
};

/// The result is cut into strips of rows (and columns, where a filter has no extent in space). Of each strip, the input
/// frames that a result needs are staged: converted to fp32 and padded, rows and columns sorted by their phase under
/// the stride, so that every tap reads at a constant distance from the position of the result. A staged frame is used
/// by all results of the strip that need it.
struct DepthwiseJob {
  ElementType type = ElementType::kFloat32;
  Activation activation = Activation::kNone;
  DepthwisePath path = DepthwisePath::kRows;

  std::int64_t clips = 0, channels = 0;
  std::int64_t in_t = 0, in_h = 0, in_w = 0;
  std::int64_t out_t = 0, out_h = 0, out_w = 0;
  std::int64_t kernel[3] = {}, stride[3] = {}, dilation[3] = {}, pad[3] = {};
  std::int64_t cache_frames = 0;
  bool replicate_time = false, replicate_space = false;

  const void* x = nullptr;
  const void* residual = nullptr;
  const void* cache_in = nullptr;
  void* y = nullptr;
  const float* weight = nullptr;  // (C, taps); channels last: (taps, weight_pitch)
  const float* bias = nullptr;
  std::int64_t weight_pitch = 0;

  // A staged frame. Distances are in positions: one float, or a vector where channels come last.
  std::int64_t strip_rows = 0, strip_columns = 0;  // of the result
  std::int64_t row_strips = 0, column_strips = 0;
  std::int64_t row_pitch = 0;     // from one row to the next of the same phase
  std::int64_t row_phase = 0;     // from one phase of rows to the next
  std::int64_t column_phase = 0;  // from one phase of columns to the next
  std::int64_t frame_size = 0;
  std::int64_t tap_offset[49] = {};  // by position in space, from the result's position
  // From a row of fp32 results to the next where they lie in scratch, to be converted or picked out of padding; 0 where
  // they are computed into Y.
  std::int64_t target_pitch = 0;
  std::int64_t scratch_floats = 0;  // for one thread

  // A unit of work: one strip of one channel (or of one vector of channels) of one clip.
  std::int64_t units = 0;
  std::int64_t channel_units = 0;  // of one clip
};

}  // namespace vidrt::kernels
