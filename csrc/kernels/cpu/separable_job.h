// One depthwise-separable convolution as the vector kernels take it.
#pragma once

#include "kernels/cpu/depthwise_job.h"

namespace vidrt::kernels {

/// A unit of work is a strip of rows over some frames with all its channels: the depthwise results of all channels lie
/// in scratch, (C, positions) or (positions, C) by the layout, and the 1x1x1 convolution reads them there.
struct SeparableJob {
  DepthwiseJob depthwise;  // of one channel (or vector of channels) at a time; its y and residual are not used

  Activation output_activation = Activation::kNone;
  std::int64_t outputs = 0;
  // NCTHW: (O rounded up to kPanelRows / kPanelRows, C, kPanelRows); NTHWC: (C, outputs_pitch).
  const float* pointwise = nullptr;
  std::int64_t outputs_pitch = 0;
  const float* bias = nullptr;  // outputs_pitch values
  const void* residual = nullptr;
  void* y = nullptr;

  std::int64_t time_parts = 0, row_strips = 0, column_strips = 0;
  std::int64_t between_pitch = 0;   // floats: from a channel to the next, or from a position to the next
  std::int64_t between_floats = 0;  // before the depthwise kernel's scratch
  std::int64_t scratch_floats = 0;
  std::int64_t units = 0;
};

/// Rows of the 1x1x1 convolution's matrix that are multiplied at once.
constexpr std::int64_t kPanelRows = 8;

}  // namespace vidrt::kernels
