// The pipeline's own arithmetic on an NVIDIA GPU: the scheduler's step, filling, finiteness, differences, blending
// of tiles, RGB.
//
// Tensors are float32 in device memory. Launches queue on `stream` of the current device, allocate nothing, wait for
// nothing, and return 0 or the cudaError_t of a launch that could not be queued. Words of 16 bytes are moved where
// pointers allow it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/cuda_stream.h"

namespace vidrt::kernels {

/// One term of a linear combination. What is not used is not read: it may never have been written.
struct LoopTerm {
  float factor = 0.0f;
  bool is_used = false;
};

/// A scheduler's step as one pass over memory (StepCoefficients in runtime/scheduler.h says what the terms mean):
///   v  = output, with guidance negative + g * (positive - negative)
///   m  = to_m_output * v + to_m_sample * x
///   x' = c_prev * x_prev + sum c_history[j] * history[j] + c_m * m    where `corrects`, else x
///   x <- p_sample * x' + sum p_history[j] * history[j] + p_m * m
/// then x_prev <- x', m replaces the oldest history, and of x (C, num_frames, frame_size) the first frame of every
/// channel is `first_frame` where that is given. Every product and every sum is rounded on its own, in this order: the
/// same bits as the pass on the processor.
struct LoopStep {
  static constexpr int kMaxHistory = 3;

  std::int64_t count = 0;                  // elements of each tensor
  const float* output_negative = nullptr;  // null: no guidance
  const float* output_positive = nullptr;
  float guidance_scale = 1.0f;
  float* sample = nullptr;
  float* sample_copy = nullptr;  // null: none
  float* prev_sample = nullptr;  // null: the algorithm needs none
  float* history[kMaxHistory] = {};
  int num_history = 0;
  const float* first_frame = nullptr;  // (C, frame_size); null: none
  std::int64_t num_frames = 1;
  std::int64_t frame_size = 1;

  float to_m_output = 0.0f;
  LoopTerm to_m_sample;
  bool corrects = false;
  float c_prev = 0.0f;
  LoopTerm c_history[kMaxHistory];
  LoopTerm c_m;
  float p_sample = 0.0f;
  LoopTerm p_history[kMaxHistory];
  LoopTerm p_m;
};

/// No tensor of the step overlaps another.
CudaError loop_step_cuda(const LoopStep& step, CudaStream stream);

/// Set `count` elements.
CudaError loop_fill_cuda(float* values, std::int64_t count, float value, CudaStream stream);

/// Words that the next launcher writes, at most kMaxLoopVerdicts.
constexpr int kMaxLoopVerdicts = 1024;
constexpr int loop_verdicts(std::int64_t count) {
  const std::int64_t blocks = count / 1024 + 1;  // of eight warps, each with a verdict
  return blocks < kMaxLoopVerdicts / 8 ? static_cast<int>(blocks) * 8 : kMaxLoopVerdicts;
}
/// Whether `values` are finite, in parts: a verdict that is not 0 says that a part has an infinity or a NaN.
CudaError loop_find_not_finite_cuda(const float* values, std::int64_t count, std::uint32_t* verdicts,
                                    CudaStream stream);

/// Lanes of the next launcher: lane j has the elements j, j + kLoopLanes, ...
constexpr int kLoopLanes = 8192;
/// Write kLoopLanes sums of |values - others|, or of |values| where `others` is null: each lane's, in the order of its
/// elements, every operation rounded on its own.
CudaError loop_sum_differences_cuda(const float* values, const float* others, std::int64_t count, float* sums,
                                    CudaStream stream);

/// What a tile's frames add to whole frames:
///   frames[c][i][top + y][left + x] += rows[y] * columns[x] * tile[c][first + i][y][x]    for `count` frames i
/// with each product and the sum rounded on its own, from left to right: the bits of the processor.
struct LoopBlend {
  float* frames = nullptr;  // planes (3, num_frames, height, width)
  std::int64_t num_frames = 0, height = 0, width = 0;
  const float* tile = nullptr;  // planes (3, tile_frames, tile_height, tile_width)
  std::int64_t tile_frames = 0, tile_height = 0, tile_width = 0;
  const float* rows = nullptr;     // (tile_height)
  const float* columns = nullptr;  // (tile_width)
  std::int64_t first = 0, count = 0, top = 0, left = 0;
};
/// The tile lies within the frames, and no tensor overlaps another.
CudaError loop_blend_cuda(const LoopBlend& blend, CudaStream stream);

/// Frames `first` to `first + count` of planes (3, num_frames, pixels) in [-1,1].
struct LoopFrames {
  const float* planes = nullptr;
  std::int64_t num_frames = 0;
  std::int64_t pixels = 0;  // of a frame
  std::int64_t first = 0;
  std::int64_t count = 0;
};

/// Bytes that the next launchers write: three values of `value_bytes` for a pixel, and then to the next 16.
constexpr std::size_t loop_rgb_room(std::int64_t frames, std::int64_t pixels, std::size_t value_bytes) {
  return (static_cast<std::size_t>(frames * pixels) * 3 * value_bytes + 15) / 16 * 16;
}
/// Write (count, pixels, 3) RGB: clamp(x / 2 + 1/2) to [0,1] as floats, 255 times that, rounded with ties to even, as
/// bytes; NaN becomes 0. `rgb` is aligned to 16 bytes.
CudaError loop_rgb_cuda(const LoopFrames& frames, unsigned char* rgb, CudaStream stream);
CudaError loop_rgb_cuda(const LoopFrames& frames, float* rgb, CudaStream stream);

}  // namespace vidrt::kernels
