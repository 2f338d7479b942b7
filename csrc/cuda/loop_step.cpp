#include "cuda/loop_step.h"

#include <cstddef>

namespace vidrt {
namespace {

static_assert(kernels::LoopStep::kMaxHistory == kMaxHistory, "the kernel has a term for each history tensor");

// Looked at before it is rounded, as on the host.
kernels::LoopTerm term(double coefficient) { return {static_cast<float>(coefficient), coefficient != 0.0}; }

}  // namespace

kernels::LoopStep make_loop_step(const SchedulerTable& table, int step, const StepTensors& tensors) {
  const StepCoefficients& coefficients = table.steps.at(static_cast<std::size_t>(step));
  kernels::LoopStep loop;
  loop.count = tensors.count;
  loop.output_negative = tensors.output_negative;
  loop.output_positive = tensors.output_positive;
  loop.guidance_scale = tensors.guidance_scale;
  loop.sample = tensors.sample;
  loop.sample_copy = tensors.sample_copy;
  loop.prev_sample = table.needs_prev_sample ? tensors.prev_sample : nullptr;
  loop.num_history = table.num_history;
  for (int i = 0; i < table.num_history; ++i) {
    const auto j = static_cast<std::size_t>(i);
    loop.history[i] = tensors.history[j];
    loop.c_history[i] = term(coefficients.c_history[j]);
    loop.p_history[i] = term(coefficients.p_history[j]);
  }
  loop.first_frame = tensors.first_frame.values;
  loop.num_frames = tensors.first_frame.frames;
  loop.frame_size = tensors.first_frame.frame_size;
  loop.to_m_output = static_cast<float>(coefficients.to_m_output);
  loop.to_m_sample = term(coefficients.to_m_sample);
  loop.corrects = coefficients.correct;
  loop.c_prev = static_cast<float>(coefficients.c_prev);
  loop.c_m = term(coefficients.c_m);
  loop.p_sample = static_cast<float>(coefficients.p_sample);
  loop.p_m = term(coefficients.p_m);
  return loop;
}

}  // namespace vidrt
