// A scheduler's step: every tensor is read once and written once.
#include "kernels/cuda/alignment.h"
#include "kernels/loop/chunk.cuh"
#include "kernels/loop/loop_kernels.h"

namespace vidrt::kernels {
namespace loop {

template <int kWidth>
__device__ __forceinline__ cuda::Vector<float, kWidth> scaled(float factor, const cuda::Vector<float, kWidth>& values) {
  cuda::Vector<float, kWidth> result;
#pragma unroll
  for (int i = 0; i < kWidth; ++i) result.values[i] = cuda::product(factor, values.values[i]);
  return result;
}

template <int kWidth>
__device__ __forceinline__ void add(const LoopTerm& term, const cuda::Vector<float, kWidth>& values,
                                    cuda::Vector<float, kWidth>* total) {
  if (!term.is_used) return;
#pragma unroll
  for (int i = 0; i < kWidth; ++i) {
    total->values[i] = cuda::sum(total->values[i], cuda::product(term.factor, values.values[i]));
  }
}

template <int kWidth>
__device__ __forceinline__ cuda::Vector<float, kWidth> guided_output(const LoopStep& p, const Chunk<kWidth>& chunk) {
  cuda::Vector<float, kWidth> output = chunk.read(p.output_positive);
  if (p.output_negative == nullptr) return output;
  const cuda::Vector<float, kWidth> negative = chunk.read(p.output_negative);
#pragma unroll
  for (int i = 0; i < kWidth; ++i) {
    const float difference = cuda::sum(output.values[i], -negative.values[i]);
    output.values[i] = cuda::sum(negative.values[i], cuda::product(p.guidance_scale, difference));
  }
  return output;
}

template <int kWidth>
__device__ __forceinline__ void put_first_frame(const LoopStep& p, std::int64_t begin,
                                                cuda::Vector<float, kWidth>* next) {
  const std::int64_t channel_size = p.num_frames * p.frame_size;
  std::int64_t channel = begin / channel_size;
  std::int64_t place = begin - channel * channel_size;
#pragma unroll
  for (int i = 0; i < kWidth; ++i) {
    // Beyond the last channel there is nothing to read: an array's end may lie within these elements.
    if (place < p.frame_size && begin + i < p.count) {
      next->values[i] = cuda::load_global<float>(p.first_frame + channel * p.frame_size + place);
    }
    if (++place == channel_size) {
      place = 0;
      ++channel;
    }
  }
}

template <int kWidth>
__global__ void __launch_bounds__(kThreads) scheduler_step(const __grid_constant__ LoopStep p) {
  using Values = cuda::Vector<float, kWidth>;
  const Chunk<kWidth> chunk = chunk_at<kWidth>(thread_in_grid(), p.count);
  if (chunk.count <= 0) return;

  const Values sample = chunk.read_own(p.sample);
  Values m = scaled(p.to_m_output, guided_output(p, chunk));
  add(p.to_m_sample, sample, &m);

  Values history[LoopStep::kMaxHistory];
#pragma unroll
  for (int j = 0; j < LoopStep::kMaxHistory; ++j) {
    history[j] = cuda::splat<float, kWidth>(0.0f);
    if (p.c_history[j].is_used || p.p_history[j].is_used) history[j] = chunk.read_own(p.history[j]);
  }

  Values current = sample;
  if (p.corrects) {
    current = scaled(p.c_prev, chunk.read_own(p.prev_sample));
#pragma unroll
    for (int j = 0; j < LoopStep::kMaxHistory; ++j) add(p.c_history[j], history[j], &current);
    add(p.c_m, m, &current);
  }
  Values next = scaled(p.p_sample, current);
#pragma unroll
  for (int j = 0; j < LoopStep::kMaxHistory; ++j) add(p.p_history[j], history[j], &next);
  add(p.p_m, m, &next);
  if (p.first_frame != nullptr) put_first_frame(p, chunk.begin, &next);

  if (p.prev_sample != nullptr) chunk.write(p.prev_sample, current);
#pragma unroll
  for (int j = 0; j < LoopStep::kMaxHistory; ++j) {
    if (j == p.num_history - 1) chunk.write(p.history[j], m);
  }
  chunk.write(p.sample, next);
  if (p.sample_copy != nullptr) chunk.write(p.sample_copy, next);
}

template <int kWidth>
cudaError_t launch_step(const LoopStep& step, cudaStream_t stream) {
  const std::uint32_t blocks = blocks_for((step.count + kWidth - 1) / kWidth);
  return cuda::launch(scheduler_step<kWidth>, {blocks, kThreads, 0}, stream, step);
}

inline bool is_wide(const LoopStep& step) {
  const void* tensors[] = {step.output_negative, step.output_positive, step.sample,     step.sample_copy,
                           step.prev_sample,     step.history[0],      step.history[1], step.history[2]};
  for (const void* tensor : tensors) {
    if (!cuda::is_aligned(tensor, sizeof(Wide))) return false;
  }
  return true;
}

}  // namespace loop

CudaError loop_step_cuda(const LoopStep& step, CudaStream stream) {
  if (step.count == 0) return cudaSuccess;
  return loop::is_wide(step) ? loop::launch_step<4>(step, stream) : loop::launch_step<1>(step, stream);
}

}  // namespace vidrt::kernels
