// Euler's method for dx/dsigma = v: x <- x + (sigma' - sigma) v.
#include "runtime/scheduler_algorithms.h"

#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#endif

namespace vidrt {
namespace {

// diffusers shifts once in float32 when the scheduler is made (this gives the range of training sigmas) and once more,
// in double, when timesteps are set. The order and precision of operations are part of the result.
float shifted_training_sigma(float sigma, double shift) {
  const float scale = static_cast<float>(shift);
  const float slope = static_cast<float>(shift - 1.0);
  return scale * sigma / (1.0f + slope * sigma);
}

}  // namespace

SchedulerTable make_euler_table(const EulerConfig& config, const StepSpan& steps) {
  const double train = config.time.num_train_timesteps;
  const float smallest = 1.0f / static_cast<float>(train);
  const double sigma_max = static_cast<double>(shifted_training_sigma(1.0f, config.time.shift));
  const double sigma_min = static_cast<double>(shifted_training_sigma(smallest, config.time.shift));

  SchedulerTable table;
  table.name = "euler";
  const std::vector<double> timesteps = linspace(sigma_max * train, sigma_min * train, steps.count);
  for (auto i = static_cast<std::size_t>(steps.first); i < timesteps.size(); ++i) {
    table.sigmas.push_back(round_to_float(shift_sigma(timesteps[i] / train, config.time.shift)));
  }
  table.start = {1.0 - table.sigmas.front(), table.sigmas.front()};
  table.sigmas.push_back(0.0);
  for (std::size_t i = 0; i + 1 < table.sigmas.size(); ++i) {
    StepCoefficients step;
    // A float32 product, as diffusers multiplies its float32 sigmas.
    step.timestep = static_cast<double>(static_cast<float>(table.sigmas[i]) * static_cast<float>(train));
    step.to_m_output = 1.0;
    step.p_sample = 1.0;
    step.p_m = table.sigmas[i + 1] - table.sigmas[i];
    table.steps.push_back(step);
  }
  return table;
}

}  // namespace vidrt
